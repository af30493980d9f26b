//! `$NO_PROXY`, which kube 5.0 compares with the proxy's own address instead of the server's.

use hyper_util::client::proxy::matcher::Matcher;
use kube::config::Config;

/// Takes a proxy of the environment away again, where `$NO_PROXY` spares this server. A `proxy-url` of the kubeconfig
/// stays, as for kubectl.
pub(super) fn spare(config: &mut Config) {
    let Some(proxy) = &config.proxy_url else {
        return;
    };
    let of_environment = ["HTTPS_PROXY", "https_proxy"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .any(|url| url.parse::<http::Uri>().is_ok_and(|url| url == *proxy));
    if of_environment && !applies(&Matcher::from_env(), config) {
        config.proxy_url = None;
    }
}

/// Like Go's clients, a loopback server never goes through a proxy.
fn applies(matcher: &Matcher, config: &Config) -> bool {
    let host = config
        .cluster_url
        .host()
        .unwrap_or_default()
        .trim_matches(['[', ']']);
    let is_loopback = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    !is_loopback && matcher.intercept(&config.cluster_url).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through_proxy(server: &str) -> bool {
        let matcher = Matcher::builder()
            .https("http://proxy.test:3128")
            .no("10.0.0.0/8,.internal.test")
            .build();
        applies(&matcher, &Config::new(server.parse().expect("a URL")))
    }

    #[test]
    fn no_proxy_is_about_the_server() {
        assert!(through_proxy("https://api.example.test:6443"));
        assert!(!through_proxy("https://10.1.2.3:6443"));
        assert!(!through_proxy("https://api.internal.test"));
        assert!(!through_proxy("https://127.0.0.1:6443"));
        assert!(!through_proxy("https://[::1]:6443"));
    }
}

//! kubectl's connection flags, with kubectl's names.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use cluster::connect::Flags;

/// Which cluster, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The kubeconfig; without it $KUBECONFIG, else ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Another cluster of the kubeconfig than the context's.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Another user of the kubeconfig than the context's.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The namespace of the request. What belongs to the mesh has its own.
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Act as this user.
    #[arg(long = "as", value_name = "USER")]
    pub as_user: Option<String>,
    /// Act as this uid.
    #[arg(long, value_name = "UID")]
    pub as_uid: Option<String>,
    /// Act as a member of this group; repeatable.
    #[arg(long, value_name = "GROUP")]
    pub as_group: Vec<String>,
    /// A bearer token for the API server. It is never printed.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Address and port of the API server.
    #[arg(short, long, value_name = "URL")]
    pub server: Option<String>,
    /// The certificate authority of the API server.
    #[arg(long, value_name = "FILE")]
    pub certificate_authority: Option<PathBuf>,
    /// A client certificate.
    #[arg(long, value_name = "FILE")]
    pub client_certificate: Option<PathBuf>,
    /// The key of the client certificate.
    #[arg(long, value_name = "FILE")]
    pub client_key: Option<PathBuf>,
    /// Don't check who the API server is. Anyone in between may read and change everything.
    #[arg(long)]
    pub insecure_skip_tls_verify: bool,
    /// The name to check the API server's certificate against.
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// The longest silence of the API server: `30s`, `2m`; 0 is the default, about a minute.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub request_timeout: Option<Duration>,
}

impl Connection {
    /// True when the user says which cluster is meant.
    pub fn names_a_cluster(&self) -> bool {
        self.kubeconfig.is_some()
            || self.context.is_some()
            || self.cluster.is_some()
            || self.server.is_some()
    }

    /// The same, as the library takes it.
    pub fn flags(&self) -> Flags {
        Flags {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            namespace: self.namespace.clone(),
            impersonate: self.as_user.clone(),
            impersonate_groups: self.as_group.clone(),
            impersonate_uid: self.as_uid.clone(),
            token: self.token.clone(),
            server: self.server.clone(),
            certificate_authority: self.certificate_authority.clone(),
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
            tls_server_name: self.tls_server_name.clone(),
            request_timeout: self.request_timeout,
        }
    }
}

/// kubectl's spelling of times: `90s`, `1m30s`, `2h`; a number alone is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("found `{text}`, expected a time such as `90s`, `5m` or `1h`");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, next) = behind.split_at(letters);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let millis = match unit {
            "ms" => Some(number),
            "s" => number.checked_mul(1000),
            "m" => number.checked_mul(60_000),
            "h" => number.checked_mul(3_600_000),
            _ => None,
        };
        let millis = millis.ok_or_else(wrong)?;
        total = total
            .checked_add(Duration::from_millis(millis))
            .ok_or_else(wrong)?;
        rest = next;
    }
    match text.is_empty() {
        true => Err(wrong()),
        false => Ok(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_as_in_kubectl() {
        for (text, seconds) in [
            ("0", 0),
            ("30", 30),
            ("90s", 90),
            ("1m30s", 90),
            ("2h", 7200),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for text in [
            "",
            "s",
            "5",
            "-1s",
            "1x",
            "1.5s",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert_eq!(duration(text).is_ok(), text == "5", "{text}");
        }
    }
}

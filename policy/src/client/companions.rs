//! Companions: headers that say something about the client beside the chain. Two lists, and which of their headers stay.
//!
//! An address is what the policy itself finds, so another answer to the same question is removed from every request. What else proxies write about a request comes from
//! trusted peers only. Not companions, since this Envoy or tracing writes them: `x-forwarded-client-cert`, `x-envoy-*`, `x-request-id`, `traceparent`, `tracestate`, `b3`, `x-b3-*`.

use super::elements::XFF;
use crate::decision::Draft;
use crate::headers::Edit;
use crate::headers::bytes::same;
use crate::headers::{is_odd, same_header, spelled};
use crate::request::Request;
use crate::spec::{self, CompanionMode};

/// The client's address in the words of others.
const ADDRESSES: [&str; 38] = [
    // RFC 7239 and what stood before it
    "forwarded",
    "forwarded-for",
    "x-forwarded",
    // nginx (ngx_http_realip_module), Apache (mod_remoteip), HAProxy, ingress-nginx
    "x-real-ip",
    "x-client-ip",
    "client-ip",
    "x-original-forwarded-for",
    "x-remote-ip",
    "x-remote-addr",
    "x-originating-ip",
    "x-proxyuser-ip",
    // Rackspace, Riverbed, Zeus
    "x-cluster-client-ip",
    "cluster-client-ip",
    // WebLogic
    "wl-proxy-client-ip",
    "proxy-client-ip",
    // Akamai, Cloudflare
    "true-client-ip",
    "x-true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    // Fastly
    "fastly-client-ip",
    // Azure Front Door
    "x-azure-clientip",
    "x-azure-socketip",
    // CloudFront
    "cloudfront-viewer-address",
    // Fly.io, DigitalOcean, App Engine, Netlify
    "fly-client-ip",
    "do-connecting-ip",
    "x-appengine-user-ip",
    "x-appengine-remote-addr",
    "x-nf-client-connection-ip",
    // Vercel
    "x-vercel-forwarded-for",
    // Names of CGI variables (RFC 3875 section 4.1), which widely copied Java and PHP helpers look up as headers
    "remote-addr",
    "http-client-ip",
    "http-forwarded",
    "http-forwarded-for",
    "http-x-forwarded",
    "http-x-forwarded-for",
    "http-x-real-ip",
    "http-x-cluster-client-ip",
];

/// What proxies say beside that, and applications act on; all of `x-forwarded-*` belongs here too.
const OTHERS: [&str; 14] = [
    // IIS URL Rewrite, Symfony, Zend: they replace the path
    "x-original-url",
    "x-rewrite-url",
    // ingress-nginx, for its external authentication
    "x-original-uri",
    "x-original-method",
    // Azure Application Gateway, Django's and Laravel's host lookups
    "x-original-host",
    "x-host",
    "x-http-host-override",
    // ingress-nginx, Rack, WebLogic, Microsoft ISA
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
    "x-original-proto",
    // CloudFront
    "cloudfront-forwarded-proto",
    // Cloudflare
    "cf-visitor",
    "cf-ipcountry",
];

const PREFIX: &str = "x-forwarded-";
const PROTO: &str = "x-forwarded-proto";
const CERTIFICATE: &str = "x-forwarded-client-cert";

#[derive(Clone, Debug)]
pub(crate) struct Companions {
    mode: CompanionMode,
    keep: Vec<String>,
    also: Vec<String>,
    filter: Filter,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Address,
    Other,
}

impl Companions {
    pub fn compile(wire: &spec::Companions) -> Self {
        Self {
            mode: wire.mode,
            keep: wire.keep.clone(),
            also: wire.also.clone(),
            filter: Filter::of(ADDRESSES.iter().chain(&OTHERS)),
        }
    }

    /// Whether the connection's own scheme may have to be written. `distrusts`: whether there can be a peer that is not trusted.
    pub fn needs_tls(&self, distrusts: bool) -> bool {
        match self.mode {
            CompanionMode::Strip => true,
            CompanionMode::FromTrustedPeers => {
                self.is_also(PROTO.as_bytes()) || (distrusts && !self.keeps(PROTO.as_bytes()))
            }
            CompanionMode::Keep => false,
        }
    }

    /// Removes what nobody vouches for, and every companion and double of the chain in a spelling that no proxy writes. `stripped`: the chain goes, and its companions with it.
    pub fn strip(
        &self,
        request: &Request<'_>,
        peer_trusted: bool,
        stripped: bool,
        draft: &mut Draft,
    ) {
        let distrusted = stripped || !peer_trusted;
        let mut told = false;
        for (name, value) in request.headers.of_lengths(u64::MAX) {
            let Some(kind) = self.kind(name) else {
                continue;
            };
            if *name == PROTO.as_bytes() {
                let own: &[u8] = if request.tls { b"https" } else { b"http" };
                if self.removes(kind, name, distrusted, stripped)
                    && (*value != own || std::mem::replace(&mut told, true))
                {
                    // Envoy writes this header where it is missing, so an absent one stays so.
                    draft.strips.push(Edit::set(PROTO, own));
                }
            } else if is_odd(name) || self.removes(kind, name, distrusted, stripped) {
                draft.strip(spelled(name));
            }
        }
    }

    /// Whether a name is a companion or `x-forwarded-*`, which the chain is too, in any spelling.
    #[cold]
    pub fn tells_client(&self, name: &[u8]) -> bool {
        let forwarded = name
            .get(..PREFIX.len())
            .is_some_and(|start| same_header(start, PREFIX));
        forwarded || self.is_also(name) || listed(name).is_some()
    }

    fn removes(&self, kind: Kind, name: &[u8], distrusted: bool, stripped: bool) -> bool {
        match (self.mode, kind) {
            (CompanionMode::Strip, _) => true,
            (CompanionMode::Keep, _) => stripped,
            // A name in `keep` is trusted one step further than its kind.
            (CompanionMode::FromTrustedPeers, Kind::Address) => distrusted || !self.keeps(name),
            (CompanionMode::FromTrustedPeers, Kind::Other) => distrusted && !self.keeps(name),
        }
    }

    fn keeps(&self, name: &[u8]) -> bool {
        self.keep.iter().any(|kept| kept.as_bytes() == name)
    }

    fn kind(&self, name: &[u8]) -> Option<Kind> {
        if !self.also.is_empty() && self.is_also(name) {
            return Some(Kind::Address);
        }
        if matches!(name.get(2), Some(b'f' | b'F'))
            && let Some(start) = name.get(..PREFIX.len())
            && (same(start, PREFIX.as_bytes()) || same_header(start, PREFIX))
        {
            let own = same(name, XFF.as_bytes()) || same(name, CERTIFICATE.as_bytes());
            return (!own).then_some(Kind::Other);
        }
        if self.filter.may_hold(name) {
            listed(name)
        } else {
            None
        }
    }

    fn is_also(&self, name: &[u8]) -> bool {
        !is_untouchable(name)
            && self.also.iter().any(|also| match also.strip_suffix('*') {
                Some(prefix) => name
                    .get(..prefix.len())
                    .is_some_and(|start| same_header(start, prefix)),
                None => same_header(name, also),
            })
    }
}

fn listed(name: &[u8]) -> Option<Kind> {
    let among = |names: &[&str]| names.iter().any(|known| same_header(name, known));
    if among(&ADDRESSES) {
        Some(Kind::Address)
    } else {
        among(&OTHERS).then_some(Kind::Other)
    }
}

/// A Bloom filter with one hash over both lists: most headers of most requests are told apart by one look. The multipliers are such that of 45 usual headers one is looked up in vain.
#[derive(Clone, Debug)]
struct Filter([bool; 256]);

impl Filter {
    fn of<'n>(names: impl Iterator<Item = &'n &'n str>) -> Self {
        let mut filter = Self([false; 256]);
        for name in names {
            let place = Self::place(name.as_bytes());
            if let Some(held) = filter.0.get_mut(usize::from(place)) {
                *held = true;
            }
        }
        filter
    }

    fn may_hold(&self, name: &[u8]) -> bool {
        let held = self.0.get(usize::from(Self::place(name)));
        held.copied().unwrap_or_default()
    }

    /// From length, first and last byte, in which a name's spellings are alike: no name begins or ends with a mark.
    #[expect(clippy::cast_possible_truncation, reason = "a hash wraps around")]
    fn place(name: &[u8]) -> u8 {
        let (first, last) = match name {
            [first, .., last] => (first | 0x20, last | 0x20),
            _ => return 0,
        };
        (name.len() as u8)
            .wrapping_add(first.wrapping_mul(17))
            .wrapping_add(last.wrapping_mul(3))
    }
}

/// Whether a header, or one of those that `NAME*` stands for, can be a companion: an address in the words of others, or what proxies say beside it. In any case of letters.
#[must_use]
pub fn may_be_companion(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let Some(start) = name.strip_suffix('*') else {
        return is_companion(&name);
    };
    let mut known = ADDRESSES.iter().chain(&OTHERS);
    PREFIX.starts_with(start)
        || start.starts_with(PREFIX)
        || known.any(|known| known.starts_with(start))
}

/// Whether a header in lower case is one of the lists, for who reads a policy.
pub(crate) fn is_companion(name: &str) -> bool {
    (name.starts_with(PREFIX) && name != XFF && name != CERTIFICATE)
        || listed(name.as_bytes()).is_some()
}

/// Headers that are never removed as companions: this Envoy, tracing or the protocol owns them.
pub(crate) fn is_untouchable(name: &[u8]) -> bool {
    const NAMES: [&str; 9] = [
        XFF,
        CERTIFICATE,
        "x-request-id",
        "traceparent",
        "tracestate",
        "b3",
        "host",
        "content-length",
        "content-type",
    ];
    const PREFIXES: [&str; 3] = [":", "x-envoy-", "x-b3-"];
    NAMES.iter().any(|known| known.as_bytes() == name)
        || PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_headers_are_told_apart_by_one_look() {
        let filter = Filter::of(ADDRESSES.iter().chain(&OTHERS));
        for name in ADDRESSES.iter().chain(&OTHERS) {
            assert!(filter.may_hold(name.as_bytes()), "{name}");
            assert!(
                filter.may_hold(name.to_ascii_uppercase().as_bytes()),
                "{name}"
            );
        }
        for name in [
            "accept",
            "cache-control",
            "content-encoding",
            "content-type",
            "cookie",
            "dnt",
            "expect",
            "host",
            "if-match",
            "if-none-match",
            "referer",
            "sec-fetch-mode",
            "user-agent",
            "traceparent",
            "upgrade-insecure-requests",
            ":authority",
        ] {
            assert!(!filter.may_hold(name.as_bytes()), "{name}");
        }
    }
}

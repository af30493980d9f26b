//! Why a request was refused: a closed list whose labels are API (metrics, access logs, reports). And how the metrics of a plugin are named.

use std::fmt::{self, Write as _};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $status:literal,)*) => {
        /// Why a request was refused. [`Reason::label`] is stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable name.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The HTTP status of the refusal.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What stands in the details of Envoy's local reply (`%RESPONSE_CODE_DETAILS%`).
            pub const fn details(self) -> &'static str {
                match self { $(Self::$name => concat!("kyma_istio_header_policy{", stringify!($name), "}"),)* }
            }
        }
    };
}

reasons! {
    /// The chain is over a limit.
    ChainTooLong = 400,
    /// An element of the chain is no address.
    ChainMalformed = 400,
    /// The peer is no trusted proxy.
    UntrustedPeer = 403,
    /// Fewer trusted proxies than due.
    TooFewHops = 400,
    /// More trusted proxies than due.
    TooManyHops = 400,
    /// The `forwarded` header tells of another chain.
    ForwardedConflict = 400,
    /// Every element is a trusted proxy.
    AllTrusted = 403,
    /// The client's address is private.
    PrivateClient = 403,
    /// The client is on the deny list, or not on the allow list.
    ClientDenied = 403,
    /// There are lists and the client is unknown.
    ClientUnknown = 403,
    /// Where the proxy stands could not be told.
    PositionUnknown = 403,
    /// The method could be read in two ways.
    MethodAmbiguous = 400,
    /// The host could be read in two ways, or there is none.
    HostAmbiguous = 400,
    /// The path could be read in two ways.
    PathAmbiguous = 400,
    /// A rule lets nobody in.
    RuleDenied = 403,
    /// There is no token.
    MissingToken = 401,
    /// There are differing tokens.
    SeveralTokens = 400,
    /// The token is over its size.
    TokenTooLarge = 401,
    /// The token is no JWS in compact form (RFC 7515 section 7.1).
    TokenMalformed = 401,
    /// No key is pinned to the token's algorithm.
    AlgorithmNotAllowed = 401,
    /// The token has a critical header that is not understood (RFC 7515 section 4.1.11).
    CriticalHeader = 401,
    /// The token's `typ` is not accepted.
    TypeNotAccepted = 401,
    /// No key fits, or more than one.
    KeyNotFound = 401,
    /// The signature is wrong.
    SignatureInvalid = 401,
    /// The signature could not be checked.
    SignatureUnchecked = 401,
    /// No provider has this issuer, or not at this place.
    IssuerNotTrusted = 401,
    /// The token is for somebody else.
    AudienceNotAccepted = 401,
    /// The subject is not one of those accepted.
    SubjectNotAccepted = 401,
    /// The claims can't be read, or one stands twice.
    ClaimsMalformed = 401,
    /// The token's time is over.
    Expired = 401,
    /// The token has no `exp`.
    ExpirationMissing = 401,
    /// The token's time has not come.
    NotYetValid = 401,
    /// The token was issued in the future.
    IssuedInFuture = 401,
    /// The token lives longer than allowed.
    LifetimeTooLong = 401,
    /// The claims don't satisfy the rule.
    ClaimMismatch = 403,
    /// The host did not hand over the request.
    RequestUnreadable = 403,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl Reason {
    /// The error code of RFC 6750 section 3.1 for a challenge; `None` for reasons that need none.
    pub(crate) const fn challenge(self) -> Challenge {
        use Reason as R;
        match self {
            R::MissingToken => Challenge::Plain,
            R::SeveralTokens => Challenge::Error("invalid_request"),
            R::ClaimMismatch => Challenge::Error("insufficient_scope"),
            R::TokenTooLarge
            | R::TokenMalformed
            | R::AlgorithmNotAllowed
            | R::CriticalHeader
            | R::TypeNotAccepted
            | R::KeyNotFound
            | R::SignatureInvalid
            | R::SignatureUnchecked
            | R::IssuerNotTrusted
            | R::AudienceNotAccepted
            | R::SubjectNotAccepted
            | R::ClaimsMalformed
            | R::Expired
            | R::ExpirationMissing
            | R::NotYetValid
            | R::IssuedInFuture
            | R::LifetimeTooLong => Challenge::Error("invalid_token"),
            R::ChainTooLong
            | R::ChainMalformed
            | R::UntrustedPeer
            | R::TooFewHops
            | R::TooManyHops
            | R::ForwardedConflict
            | R::AllTrusted
            | R::PrivateClient
            | R::ClientDenied
            | R::ClientUnknown
            | R::PositionUnknown
            | R::MethodAmbiguous
            | R::HostAmbiguous
            | R::PathAmbiguous
            | R::RuleDenied
            | R::RequestUnreadable => Challenge::None,
        }
    }
}

/// What a refusal says in `www-authenticate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    None,
    Plain,
    Error(&'static str),
}

/// What the names of a plugin's metrics begin with, by the name that the proxy has for the plugin and without Envoy's own `wasmcustom.`. A byte of the plugin's name other than a letter,
/// a digit, `-` and `_` is `~` and two hexadecimal digits (a dot would cut the metric's name at another place), so no two plugins share a metric.
#[cold]
pub fn metrics_prefix(plugin: &[u8]) -> String {
    let mut prefix = String::from("kyma_istio.header_policy.");
    if plugin.is_empty() {
        prefix.push_str("default");
    }
    for byte in plugin {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            prefix.push(char::from(*byte));
        } else {
            // Writing into a text can't fail.
            let _ = write!(prefix, "~{byte:02x}");
        }
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_plugins_share_a_metric() {
        let prefix = |plugin: &str| metrics_prefix(plugin.as_bytes());
        assert_eq!(prefix(""), "kyma_istio.header_policy.default");
        assert_eq!(prefix("Ab-9_z"), "kyma_istio.header_policy.Ab-9_z");
        assert_eq!(prefix("a.b"), "kyma_istio.header_policy.a~2eb");
        assert_eq!(prefix("a~2eb"), "kyma_istio.header_policy.a~7e2eb");
        assert_eq!(
            metrics_prefix(b"\x07\xff"),
            "kyma_istio.header_policy.~07~ff"
        );
    }
}

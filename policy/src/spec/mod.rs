//! What users write: the wire types of a HeaderPolicy. They hold values and no behaviour; `compile` turns them into a [`crate::Policy`].
//!
//! docs/header-policy.md describes every field; its tables and the JSON Schema are made from the tables that the reader reads by ([`kind`]).

pub(crate) mod describe;
mod error;
mod fingerprint;
mod forwarded;
mod jwt;
pub(crate) mod kind;
mod leaves;
mod provider;
pub(crate) mod read;
#[cfg(feature = "findings")]
mod review;
mod rule;
mod sorted;
pub(crate) mod tape;

pub use describe::{reference_tables, schema};
pub use error::ConfigError;
pub(crate) use error::Problems;
pub use fingerprint::Fingerprint;

pub(crate) use forwarded::{
    Action, ChainMode, CompanionMode, Companions, Forwarded, GatewaySends, Hops, Limits, Outbound,
};
pub(crate) use jwt::{Access, AmbiguousPath, Jwt, Preflight};
pub(crate) use leaves::HeaderName;
pub(crate) use provider::{Claim, Encoding, Location, Provider, TokenAfter};
#[cfg(feature = "findings")]
pub use read::shown;
#[cfg(feature = "findings")]
pub use review::{Review, review};
pub(crate) use rule::{ClaimTest, Rule, Scalar};
pub(crate) use sorted::sorted;

use serde_json::json;

use crate::headers::plain_name;
use crate::request::Position;
use crate::spec::describe::{Definitions, Described};
use crate::spec::kind::{Foreign, Kind, Text, constant, names, object};
use crate::spec::read::{Fields, Node, Path};
use crate::spec::tape::{Raw, Tape};

/// The group and version of the API, in this one place.
pub const API_VERSION: &str = "policy.kyma-istio.dev/v1alpha1";
/// The kind of the document.
pub const KIND: &str = "HeaderPolicy";

/// `spec`, as written.
pub(crate) struct Spec {
    pub shadow: bool,
    /// `None`: found for each stream.
    pub position: Option<Position>,
    pub judge_outbound: bool,
    pub forwarded: Option<Forwarded>,
    pub jwt: Option<Jwt>,
    pub replies: Replies,
    /// Whether all fields could be read but those of `forwarded`, `jwt` and `replies`; else what they mean together says nothing.
    pub whole: bool,
}

/// `spec.replies`, as written.
#[derive(Clone, Debug)]
pub(crate) struct Replies {
    pub body: Body,
    pub reason_header: Option<HeaderName>,
    pub realm: Option<String>,
}

names! {
    /// The body of a refusal.
    pub(crate) Body {
        /// A problem in JSON (RFC 9457): `type`, `title` and `status`, and nothing of the request.
        ProblemJson,
        /// A neutral phrase.
        Plain,
        /// No body.
        Empty,
    }
}

names! {
    /// Whether something acts or only counts.
    pub(crate) Mode {
        /// What is decided happens.
        Enforce,
        /// What is decided is counted. A policy in shadow edits, strips and refuses nothing. A rule in shadow strips, and what it would refuse goes on with its token and without claim headers; what is ambiguous only for such rules is noted, and they don't match.
        Shadow,
    }
}

names! {
    /// Where a proxy stands.
    Place {
        /// Istio's node id and the listener's direction tell, for each stream. A stream that can't be placed is refused.
        Detect,
        /// An ingress gateway: Envoy has appended the direct peer to the chain.
        Gateway,
        /// A sidecar's inbound side: the peer is known by its mTLS identity.
        SidecarInbound,
        /// A sidecar's outbound side: the caller is the workload itself.
        SidecarOutbound,
    }
}

names! {
    /// What happens to a sidecar's own outbound requests.
    OutboundTraffic {
        /// They are left alone and counted.
        Pass,
        /// They are judged as other traffic.
        Judge,
    }
}

object! {
    /// Whom a proxy believes about the client's address, and which tokens a request must carry.
    DocumentFields as HeaderPolicy {
        /// The group and version of the API.
        "apiVersion" api_version: required ApiVersion;
        /// The kind of the document; may be left out.
        "kind" kind: optional DocumentKind;
        /// Names and labels, as Kubernetes has them.
        "metadata" metadata: optional Foreign;
        /// The policy.
        "spec" spec: later Spec;
    }
}

struct ApiVersion;

impl Kind for ApiVersion {
    type Value = ();

    fn read(node: Node<'_, '_>) -> Option<()> {
        constant(node, API_VERSION)
    }

    fn describe(_: &mut Definitions) -> Described {
        Described::new(json!({"type": "string", "const": API_VERSION}), API_VERSION)
    }
}

struct DocumentKind;

impl Kind for DocumentKind {
    type Value = ();

    fn read(node: Node<'_, '_>) -> Option<()> {
        constant(node, KIND)
    }

    fn describe(_: &mut Definitions) -> Described {
        Described::new(json!({"type": "string", "const": KIND}), KIND)
    }
}

object! {
    /// The policy.
    SpecFields for Spec -> Spec {
        /// Where `filter deploy` attaches the policy. The filter does not read it, and it is no part of the fingerprint.
        "target" target: optional Foreign;
        /// Free text. `filter deploy` sets it so that no two roll-outs carry the same bytes.
        "revision" revision: optional Text;
        /// Whether the policy acts or only counts.
        "mode" mode: default Mode = Mode::Enforce;
        /// Where the proxy stands.
        "position" position: default Place = Place::Detect;
        /// What happens to a sidecar's own outbound requests.
        "outboundTraffic" outbound_traffic: default OutboundTraffic = OutboundTraffic::Pass;
        /// Who is the client?
        "forwarded" forwarded: optional Forwarded;
        /// Who is calling, and may they?
        "jwt" jwt: optional Jwt;
        /// How a refusal looks.
        "replies" replies: optional Replies;
        any of "forwarded" "jwt";
    }
}

object! {
    /// How a refusal looks.
    RepliesFields for Replies -> Replies {
        /// The body of a refusal.
        "body" body: default Body = Replies::DEFAULT.body;
        /// A header that carries the reason on refusals.
        "reasonHeader" reason_header: optional HeaderName;
        /// The realm in `WWW-Authenticate`. Without it the realm is `protected`, since RFC 6750 section 3 wants at least one parameter.
        "realm" realm: optional leaves::Realm;
    }
}

/// A document as a person writes it, or as the filter gets it: `apiVersion` and `spec`, and in files `kind` and `metadata`.
pub(crate) struct Document<'a> {
    pub spec: Spec,
    pub raw_spec: Raw<'a>,
}

impl<'a> Document<'a> {
    /// The values of a text; that it is no JSON is a problem.
    pub fn values(text: &'a [u8], problems: &mut Problems) -> Option<Tape<'a>> {
        let found = match std::str::from_utf8(text).map(Tape::of) {
            Ok(Ok(tape)) => return Some(tape),
            Ok(Err(error)) => format!(
                "text that is no JSON at line {}, column {}",
                error.line(),
                error.column()
            ),
            Err(_) => "bytes that are no UTF-8".to_owned(),
        };
        problems.push(ConfigError::new(Path::Root, found, "a JSON object"));
        None
    }

    /// Reads the whole document; problems go to the list.
    pub fn read(tape: &'a Tape<'a>, problems: &mut Problems) -> Option<Self> {
        let (_, mut fields) = DocumentFields::open(Node {
            raw: tape.root(),
            path: Path::Root,
            problems,
            quiet: false,
        })?;
        let raw_spec = fields.raw("spec");
        if raw_spec.is_none() {
            fields.absent(&["spec"], "nothing", "the policy", None);
        }
        let spec = raw_spec.and_then(|raw| {
            Spec::read(Node {
                raw,
                path: Path::Field(&Path::Root, "spec"),
                problems: fields.problems,
                quiet: false,
            })
        });
        fields.finish();
        Some(Self {
            spec: spec?,
            raw_spec: raw_spec?,
        })
    }
}

impl Spec {
    #[expect(clippy::unnecessary_wraps, reason = "as every `build`")]
    fn build(given: SpecFields, fields: Fields<'_, '_>) -> Option<Self> {
        let plain = given.target.is_whole
            && given.revision.is_whole
            && given.mode.is_whole
            && given.position.is_whole
            && given.outbound_traffic.is_whole;
        Some(Self {
            whole: fields.finish() && plain,
            shadow: given.mode.value == Mode::Shadow,
            position: match given.position.value {
                Place::Detect => None,
                Place::Gateway => Some(Position::Gateway),
                Place::SidecarInbound => Some(Position::SidecarInbound),
                Place::SidecarOutbound => Some(Position::SidecarOutbound),
            },
            judge_outbound: given.outbound_traffic.value == OutboundTraffic::Judge,
            forwarded: given.forwarded.value,
            jwt: given.jwt.value,
            replies: given.replies.value.unwrap_or(Replies::DEFAULT),
        })
    }
}

impl Replies {
    /// How a refusal looks without `replies`.
    const DEFAULT: Self = Self {
        body: Body::ProblemJson,
        reason_header: None,
        realm: None,
    };

    #[expect(clippy::unnecessary_wraps, reason = "as every `build`")]
    fn build(given: RepliesFields, fields: Fields<'_, '_>) -> Option<Self> {
        fields.finish();
        Some(Self {
            body: given.body.value,
            reason_header: given.reason_header.value,
            realm: given.realm.value,
        })
    }
}

/// Checks what the fields mean together, once each of them could be read.
pub(crate) fn check(spec: &mut Spec, verify: &dyn crate::caller::Verify, problems: &mut Problems) {
    let path = Path::Field(&Path::Root, "spec");
    if let Some(jwt) = &mut spec.jwt {
        let jwt_path = Path::Field(&path, "jwt");
        let list = Path::Field(&jwt_path, "providers");
        for (index, provider) in jwt.providers.iter_mut().enumerate() {
            provider.check_keys(Path::Item(&list, index), verify, problems);
        }
    }
    if let Some(wire) = &spec.forwarded {
        forwarded::check(
            wire,
            spec.position,
            Path::Field(&path, "forwarded"),
            problems,
        );
    }
    if let Some(wire) = &spec.jwt {
        jwt::check(wire, Path::Field(&path, "jwt"), problems);
    }
    check_outbound(spec, path, problems);
    check_emitted(spec, path, problems);
}

/// A policy that leaves all of its traffic alone is a mistake.
fn check_outbound(spec: &Spec, path: Path<'_>, problems: &mut Problems) {
    if spec.whole && spec.position == Some(Position::SidecarOutbound) && !spec.judge_outbound {
        let field = Path::Field(&path, "outboundTraffic");
        let problem = ConfigError::new(field, "`Pass` in a policy for outbound traffic", "`Judge`");
        problems.push(problem.hint("a sidecar's own requests are left alone by default"));
    }
}

/// No two parts of a policy may write one header, and none may write one that tokens come in.
fn check_emitted(spec: &Spec, path: Path<'_>, problems: &mut Problems) {
    let providers = spec.jwt.iter().flat_map(|jwt| &jwt.providers);
    let sources = providers
        .clone()
        .flat_map(|provider| &provider.locations)
        .filter_map(|location| match location {
            Location::Header { name, .. } => Some(plain_name(name)),
            Location::Cookie(_) | Location::Param(_) => None,
        });
    let mut emitted = Emitted {
        sources: sorted(sources.collect()),
        path,
        problems,
    };
    // The policy's own headers, then those of one provider: of two providers only one is at work.
    let client = spec
        .forwarded
        .as_ref()
        .and_then(|forwarded| forwarded.client_ip_header.as_ref());
    let own = [
        (client, "forwarded.clientIpHeader".to_owned()),
        (
            spec.replies.reason_header.as_ref(),
            "replies.reasonHeader".to_owned(),
        ),
    ];
    let own = own
        .into_iter()
        .filter_map(|(name, field)| Some((name?, field)));
    let own = emitted.write(&[], own.collect());
    for (index, provider) in providers.enumerate() {
        let here = format!("jwt.providers[{index}]");
        let payload = provider.payload_header.iter();
        let payload = payload.map(|name| (name, format!("{here}.payloadHeader")));
        let claims = provider.claims_to_headers.iter().enumerate();
        let claims = claims.map(|(index, claim)| {
            (
                &claim.header,
                format!("{here}.claimsToHeaders[{index}].header"),
            )
        });
        emitted.write(&own, payload.chain(claims).collect());
    }
}

/// What is written to headers, and what is wrong with that.
struct Emitted<'p> {
    /// Sorted.
    sources: Vec<String>,
    path: Path<'p>,
    problems: &'p mut Problems,
}

impl Emitted<'_> {
    /// Checks headers, each with the field that names it, beside others whose sorted names are given; returns all names, sorted.
    fn write(&mut self, others: &[String], headers: Vec<(&HeaderName, String)>) -> Vec<String> {
        let names = headers.iter().map(|(name, _)| plain_name(name.as_str()));
        let names = sorted(names.zip(0_usize..).collect());
        let mut before: Option<&str> = None;
        let mut wrong = Vec::new();
        for (name, place) in &names {
            let written = before.replace(name) == Some(name) || others.binary_search(name).is_ok();
            if self.sources.binary_search(name).is_ok() {
                wrong.push((*place, "which tokens come in"));
            } else if written {
                wrong.push((*place, "which another part of the policy writes"));
            }
        }
        for (place, found) in sorted(wrong) {
            if self.problems.passes_over() {
                continue;
            }
            let Some((name, field)) = headers.get(place) else {
                continue;
            };
            let problem = ConfigError::new(
                format_args!("{}.{field}", self.path),
                format!("`{name}`, {found}"),
                "a header of its own",
            );
            self.problems
                .push(problem.hint("`-` and `_` in a header's name are one to many programs"));
        }
        let names = names.into_iter().map(|(name, _)| name);
        sorted(names.chain(others.iter().cloned()).collect())
    }
}

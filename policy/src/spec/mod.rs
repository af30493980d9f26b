//! What users write: the wire types of a HeaderPolicy. They hold values and no behaviour; `compile` turns them into a [`crate::Policy`].
//!
//! docs/header-policy.md describes every field; the JSON Schema is generated from these types.

mod error;
mod fingerprint;
mod forwarded;
mod jwt;
mod leaves;
mod provider;
pub(crate) mod read;
#[cfg(feature = "findings")]
mod review;
mod rule;
#[cfg(feature = "schema")]
mod schema;
mod sorted;

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
pub use review::{Review, review};
pub(crate) use rule::{ClaimTest, Rule, Scalar};
#[cfg(feature = "schema")]
pub use schema::schema;
pub(crate) use sorted::sorted;

use serde_json::value::RawValue;

use crate::headers::plain_name;
use crate::request::Position;
use crate::spec::read::{Fields, Node, Path, Read, choice};

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
#[derive(Clone, Debug, Default)]
pub(crate) struct Replies {
    pub body: Body,
    pub reason_header: Option<HeaderName>,
    pub realm: Option<String>,
}

/// The body of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Body {
    #[default]
    ProblemJson,
    Plain,
    Empty,
}

/// A document as a person writes it, or as the filter gets it: `apiVersion` and `spec`, and in files `kind` and `metadata`.
pub(crate) struct Document<'a> {
    pub spec: Spec,
    pub raw_spec: &'a RawValue,
}

impl<'a> Document<'a> {
    /// Reads the whole document; problems go to the list.
    pub fn read(text: &'a str, problems: &mut Problems) -> Option<Self> {
        let raw: &RawValue = match serde_json::from_str(text) {
            Ok(raw) => raw,
            Err(error) => {
                let found = format!(
                    "text that is no JSON at line {}, column {}",
                    error.line(),
                    error.column()
                );
                problems.push(ConfigError::new(Path::Root, found, "a JSON object"));
                return None;
            }
        };
        let mut fields = Fields::open(Node {
            raw,
            path: Path::Root,
            problems,
            quiet: false,
        })?;
        fields.required_with("apiVersion", |node| choice(node, &[(API_VERSION, ())]));
        fields.with("kind", |node| choice(node, &[(KIND, ())]));
        // Names and labels are Kubernetes' business.
        fields.foreign("metadata");
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

impl Read for Spec {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let before = node.problems.count();
        let mut fields = Fields::open(node)?;
        fields.foreign("target");
        fields.optional::<String>("revision");
        let shadow = fields.with("mode", shadow_mode).unwrap_or(false);
        let position = fields
            .with("position", |node| {
                choice(
                    node,
                    &[
                        ("Detect", None),
                        ("Gateway", Some(Position::Gateway)),
                        ("SidecarInbound", Some(Position::SidecarInbound)),
                        ("SidecarOutbound", Some(Position::SidecarOutbound)),
                    ],
                )
            })
            .unwrap_or(None);
        let judge_outbound = fields
            .with("outboundTraffic", |node| {
                choice(node, &[("Pass", false), ("Judge", true)])
            })
            .unwrap_or(false);
        let plain = fields.problems.count() == before;
        let named = (fields.has("forwarded"), fields.has("jwt"));
        let forwarded = fields.optional("forwarded");
        let jwt = fields.optional("jwt");
        if named == (false, false) {
            fields.absent(
                &["forwarded", "jwt"],
                "neither `forwarded` nor `jwt`",
                "at least one of them",
                None,
            );
        }
        let replies = fields.optional("replies").unwrap_or_default();
        let read = fields.problems.count();
        let whole = plain && fields.finish() == read;
        Some(Self {
            shadow,
            position,
            judge_outbound,
            forwarded,
            jwt,
            replies,
            whole,
        })
    }
}

/// Reads `Enforce` or `Shadow`; true for the latter.
fn shadow_mode(node: Node<'_, '_>) -> Option<bool> {
    choice(node, &[("Enforce", false), ("Shadow", true)])
}

impl Read for Replies {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let body = fields
            .with("body", |node| {
                choice(
                    node,
                    &[
                        ("ProblemJson", Body::ProblemJson),
                        ("Plain", Body::Plain),
                        ("Empty", Body::Empty),
                    ],
                )
            })
            .unwrap_or_default();
        let reason_header = fields.optional("reasonHeader");
        let realm = fields.with("realm", leaves::realm);
        fields.finish();
        Some(Self {
            body,
            reason_header,
            realm,
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

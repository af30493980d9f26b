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
mod rule;
#[cfg(feature = "schema")]
mod schema;
mod sorted;

pub use error::ConfigError;
pub use fingerprint::Fingerprint;

pub(crate) use forwarded::{
    Action, ChainMode, CompanionMode, Companions, Forwarded, GatewaySends, Hops, Limits, Outbound,
};
pub(crate) use jwt::{Access, AmbiguousPath, Jwt, Preflight};
pub(crate) use leaves::HeaderName;
pub(crate) use provider::{Claim, Encoding, Location, Provider, TokenAfter};
pub(crate) use rule::{ClaimTest, Rule, Scalar};
#[cfg(feature = "schema")]
pub use schema::schema;
pub(crate) use sorted::sorted;

use serde_json::value::RawValue;

use crate::headers::same_header;
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
    pub fn read(text: &'a str, problems: &mut Vec<ConfigError>) -> Option<Self> {
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
            fields.problem("spec", "nothing", "the policy");
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
        let named = (fields.has("forwarded"), fields.has("jwt"));
        let forwarded = fields.optional("forwarded");
        let jwt = fields.optional("jwt");
        if named == (false, false) {
            fields.problem(
                "forwarded",
                "neither `forwarded` nor `jwt`",
                "at least one of them",
            );
        }
        let replies = fields.optional("replies").unwrap_or_default();
        fields.finish();
        Some(Self {
            shadow,
            position,
            judge_outbound,
            forwarded,
            jwt,
            replies,
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
pub(crate) fn check(
    spec: &mut Spec,
    verify: &dyn crate::caller::Verify,
    problems: &mut Vec<ConfigError>,
) {
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
fn check_outbound(spec: &Spec, path: Path<'_>, problems: &mut Vec<ConfigError>) {
    if spec.position == Some(Position::SidecarOutbound) && !spec.judge_outbound {
        let field = Path::Field(&path, "outboundTraffic");
        let problem = ConfigError::new(field, "`Pass` in a policy for outbound traffic", "`Judge`");
        problems.push(problem.hint("a sidecar's own requests are left alone by default"));
    }
}

/// No two parts of a policy may write one header, and none may write one that tokens come in.
fn check_emitted(spec: &Spec, path: Path<'_>, problems: &mut Vec<ConfigError>) {
    let providers = spec.jwt.iter().flat_map(|jwt| &jwt.providers);
    let sources: Vec<&str> = providers
        .clone()
        .flat_map(|provider| &provider.locations)
        .filter_map(|location| match location {
            Location::Header { name, .. } => Some(name.as_str()),
            Location::Cookie(_) | Location::Param(_) => None,
        })
        .collect();
    // The policy's own headers, then those of one provider: of two providers only one is at work.
    let mut own: Vec<HeaderName> = Vec::new();
    let mut write = |own: &mut Vec<HeaderName>, name: Option<&HeaderName>, field: String| {
        let Some(name) = name else { return };
        let same = |other: &str| same_header(other.as_bytes(), name.as_str());
        let found = if own.iter().any(|other| same(other.as_str())) {
            "which another part of the policy writes"
        } else if sources.iter().any(|source| same(source)) {
            "which tokens come in"
        } else {
            own.push(name.clone());
            return;
        };
        let problem = ConfigError::new(
            format_args!("{path}.{field}"),
            format!("`{name}`, {found}"),
            "a header of its own",
        );
        problems.push(problem.hint("`-` and `_` in a header's name are one to many programs"));
    };
    let client = spec
        .forwarded
        .as_ref()
        .and_then(|forwarded| forwarded.client_ip_header.as_ref());
    write(&mut own, client, "forwarded.clientIpHeader".to_owned());
    write(
        &mut own,
        spec.replies.reason_header.as_ref(),
        "replies.reasonHeader".to_owned(),
    );
    for (index, provider) in providers.enumerate() {
        let mut all = own.clone();
        let here = format!("jwt.providers[{index}]");
        write(
            &mut all,
            provider.payload_header.as_ref(),
            format!("{here}.payloadHeader"),
        );
        for (index, claim) in provider.claims_to_headers.iter().enumerate() {
            write(
                &mut all,
                Some(&claim.header),
                format!("{here}.claimsToHeaders[{index}].header"),
            );
        }
    }
}

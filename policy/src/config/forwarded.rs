//! `spec.forwarded`, as written.

use crate::chain::Anomaly;
use crate::config::HeaderName;
use crate::net::Cidr;
use crate::read::{Fields, Node, Path, Read, choice, whole};
use crate::request::Position;

pub(crate) struct Forwarded {
    pub mode: ChainMode,
    pub hops: Option<Hops>,
    pub cidrs: Vec<Cidr>,
    pub identities: Vec<String>,
    pub gateway_sends: GatewaySends,
    pub most_elements: u32,
    pub most_bytes: u32,
    pub anomalies: Vec<(Anomaly, Action)>,
    pub outbound: Outbound,
    pub client_ip_header: Option<HeaderName>,
    pub allow: Vec<Cidr>,
    pub deny: Vec<Cidr>,
    pub companions: Companions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChainMode {
    Strict,
    Lenient,
    Envoy,
}

/// How many trusted proxies, the direct peer included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hops {
    pub min: u32,
    pub max: u32,
    /// Whether it was written as a range, even of one number.
    pub range: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GatewaySends {
    Original,
    Canonical,
}

/// What follows from an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    Strip,
    Reject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outbound {
    Keep,
    Append,
    Replace,
    Truncate,
    Strip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Companions {
    FromTrustedPeers,
    Keep,
}

/// More trusted proxies in a row than anybody has.
const MOST_HOPS: u32 = 32;

impl Read for Forwarded {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let mode = fields
            .with("mode", |node| {
                choice(
                    node,
                    &[
                        ("Strict", ChainMode::Strict),
                        ("Lenient", ChainMode::Lenient),
                        ("Envoy", ChainMode::Envoy),
                    ],
                )
            })
            .unwrap_or(ChainMode::Strict);
        let trust = fields.required::<Trust>("trust");
        let gateway_sends = fields
            .with("gatewaySends", |node| {
                choice(
                    node,
                    &[
                        ("Original", GatewaySends::Original),
                        ("Canonical", GatewaySends::Canonical),
                    ],
                )
            })
            .unwrap_or(GatewaySends::Original);
        let limits = fields.optional::<Limits>("limits");
        let anomalies = fields.with("anomalies", anomalies).unwrap_or_default();
        let outbound = fields
            .with("outbound", |node| {
                choice(
                    node,
                    &[
                        ("Keep", Outbound::Keep),
                        ("Append", Outbound::Append),
                        ("Replace", Outbound::Replace),
                        ("Truncate", Outbound::Truncate),
                        ("Strip", Outbound::Strip),
                    ],
                )
            })
            .unwrap_or(Outbound::Keep);
        let client_ip_header = fields.optional("clientIpHeader");
        let allow = fields.optional("allow").unwrap_or_default();
        let deny = fields.optional("deny").unwrap_or_default();
        let companions = fields
            .with("companions", |node| {
                choice(
                    node,
                    &[
                        ("FromTrustedPeers", Companions::FromTrustedPeers),
                        ("Keep", Companions::Keep),
                    ],
                )
            })
            .unwrap_or(Companions::FromTrustedPeers);
        fields.finish();
        let trust = trust?;
        Some(Self {
            mode,
            hops: trust.hops,
            cidrs: trust.cidrs,
            identities: trust.identities,
            gateway_sends,
            most_elements: limits.as_ref().map_or(32, |limits| limits.elements),
            most_bytes: limits.as_ref().map_or(4096, |limits| limits.bytes),
            anomalies,
            outbound,
            client_ip_header,
            allow,
            deny,
            companions,
        })
    }
}

struct Trust {
    hops: Option<Hops>,
    cidrs: Vec<Cidr>,
    identities: Vec<String>,
}

impl Read for Trust {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let named = ["hops", "cidrs", "identities"]
            .iter()
            .any(|name| fields.has(name));
        let hops = fields.optional("hops");
        let cidrs: Option<Vec<Cidr>> = fields.optional("cidrs");
        let identities = fields.optional::<Vec<Identity>>("identities");
        if !named {
            fields.problem(
                "hops",
                "none of `hops`, `cidrs` and `identities`",
                "at least one of them",
            );
        }
        for (name, empty) in [
            ("cidrs", cidrs.as_ref().is_some_and(Vec::is_empty)),
            ("identities", identities.as_ref().is_some_and(Vec::is_empty)),
        ] {
            if empty {
                fields.problem(
                    name,
                    "an empty list",
                    "at least one entry, or no such field",
                );
            }
        }
        fields.finish();
        Some(Self {
            hops,
            cidrs: cidrs.unwrap_or_default(),
            identities: identities
                .unwrap_or_default()
                .into_iter()
                .map(|identity| identity.0)
                .collect(),
        })
    }
}

impl Read for Hops {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        if !node.is_object() {
            let hops = whole(node, 0, MOST_HOPS)?;
            return Some(Self {
                min: hops,
                max: hops,
                range: false,
            });
        }
        let mut fields = Fields::open(node)?;
        let min = fields.required_with("min", |node| whole(node, 0, MOST_HOPS));
        let max = fields.required_with("max", |node| whole(node, 0, MOST_HOPS));
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            fields.problem(
                "max",
                format!("`{max}`"),
                format!("at least `min`, which is `{min}`"),
            );
        }
        fields.finish();
        Some(Self {
            min: min?,
            max: max?,
            range: true,
        })
    }
}

/// A SPIFFE id, or a prefix of ids that ends in `*`.
struct Identity(String);

impl Read for Identity {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let good = |text: &str| {
            let fixed = text.strip_suffix('*').unwrap_or(text);
            let path = fixed
                .strip_prefix("spiffe://")
                .and_then(|rest| rest.split_once('/'));
            !fixed.contains('*')
                && fixed.bytes().all(|b| b.is_ascii_graphic())
                && path.is_some_and(|(domain, path)| !domain.is_empty() && !path.is_empty())
        };
        match node.text().filter(|text| good(text)) {
            Some(text) => Some(Self(text)),
            None => node.refuse_with(
                "a SPIFFE id, as in `spiffe://cluster.local/ns/istio-system/sa/gateway`",
                "only a last `*` is a wildcard, and at least one segment of the path comes before it",
            ),
        }
    }
}

struct Limits {
    elements: u32,
    bytes: u32,
}

impl Read for Limits {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let elements = fields
            .with("elements", |node| whole(node, 1, 1000))
            .unwrap_or(32);
        let bytes = fields
            .with("bytes", |node| whole(node, 64, 61440))
            .unwrap_or(4096);
        fields.finish();
        Some(Self { elements, bytes })
    }
}

fn anomalies(node: Node<'_, '_>) -> Option<Vec<(Anomaly, Action)>> {
    let mut fields = Fields::open(node)?;
    let mut actions = Vec::new();
    for anomaly in Anomaly::ALL {
        let action = fields.with(anomaly.name(), |node| {
            choice(
                node,
                &[
                    ("Allow", Action::Allow),
                    ("Strip", Action::Strip),
                    ("Reject", Action::Reject),
                ],
            )
        });
        actions.extend(action.map(|action| (anomaly, action)));
    }
    fields.finish();
    Some(actions)
}

/// Checks what the fields mean together.
pub(crate) fn check(
    forwarded: &Forwarded,
    position: Option<Position>,
    path: Path<'_>,
    problems: &mut Vec<crate::ConfigError>,
) {
    use crate::ConfigError as Error;
    let trust = Path::Field(&path, "trust");
    let range = forwarded.hops.is_some_and(|hops| hops.range);
    if forwarded.mode == ChainMode::Envoy {
        if !forwarded.identities.is_empty() {
            problems.push(Error::new(
                Path::Field(&trust, "identities"),
                "identities in mode `Envoy`",
                "hops or CIDRs, which are all that Envoy knows",
            ));
        }
        if forwarded.hops.is_some() && !forwarded.cidrs.is_empty() {
            problems.push(Error::new(
                Path::Field(&trust, "cidrs"),
                "hops and CIDRs in mode `Envoy`",
                "one of them: Envoy takes no cross-check",
            ));
        }
        if range {
            problems.push(Error::new(
                Path::Field(&trust, "hops"),
                "a range in mode `Envoy`",
                "one number",
            ));
        }
        if !forwarded.anomalies.is_empty() {
            problems.push(
                Error::new(
                    Path::Field(&path, "anomalies"),
                    "actions in mode `Envoy`",
                    "no such field: Envoy never refuses a chain",
                )
                .hint("mode `Strict` has anomalies"),
            );
        }
        if forwarded.outbound == Outbound::Strip {
            problems.push(Error::new(
                Path::Field(&path, "outbound"),
                "`Strip` in mode `Envoy`",
                "another mode of sending",
            ));
        }
    } else if range && forwarded.cidrs.is_empty() && forwarded.identities.is_empty() {
        problems.push(
            Error::new(
                Path::Field(&trust, "hops"),
                "a range without `cidrs` and `identities`",
                "one number",
            )
            .hint("nothing else could tell which of the numbers holds for a request"),
        );
    }
    if forwarded.mode == ChainMode::Lenient
        && matches!(forwarded.outbound, Outbound::Keep | Outbound::Append)
    {
        problems.push(
            Error::new(
                Path::Field(&path, "outbound"),
                "a chain sent on as it came, in mode `Lenient`",
                "`Replace`, `Truncate` or `Strip`",
            )
            .hint("the next hop may read ports and brackets otherwise than we do"),
        );
    }
    if !forwarded.identities.is_empty()
        && forwarded.hops.is_none()
        && forwarded.cidrs.is_empty()
        && forwarded.gateway_sends == GatewaySends::Original
    {
        problems.push(Error::new(Path::Field(&trust, "hops"), "identities alone with `gatewaySends: Original`", "hops or CIDRs too").hint("a trusted peer passes on what strangers wrote; `gatewaySends: Canonical` if it does not"));
    }
    if position == Some(Position::SidecarInbound)
        && forwarded.mode != ChainMode::Envoy
        && forwarded.identities.is_empty()
    {
        problems.push(
            Error::new(
                Path::Field(&trust, "identities"),
                "none at a sidecar",
                "the SPIFFE ids of the gateways in front",
            )
            .hint("a sidecar does not see its peer's address, so every chain would be untrusted"),
        );
    }
    for (index, block) in forwarded.allow.iter().enumerate() {
        if forwarded.deny.contains(block) {
            let allow = Path::Field(&path, "allow");
            problems.push(Error::new(
                Path::Item(&allow, index),
                format!("`{block}`, which `deny` holds too"),
                "a block in one of the lists",
            ));
        }
    }
}

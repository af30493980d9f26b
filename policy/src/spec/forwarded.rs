//! `spec.forwarded`, as written.

use crate::client::Anomaly;
use crate::client::Cidr;
use crate::client::{is_companion, is_untouchable};
use crate::matching::PathPattern;
use crate::request::Position;
use crate::spec::HeaderName;
use crate::spec::read::{Fields, Filled, Node, Path, Read, choice, whole};
use crate::spec::sorted;
use crate::spec::{ConfigError, Problems};

pub(crate) struct Forwarded {
    pub mode: ChainMode,
    pub hops: Option<Hops>,
    pub cidrs: Vec<Cidr>,
    pub identities: Vec<String>,
    /// Whether `mode`, `trust`, `gatewaySends` and `limits` could be read, and no field is unknown, which may be a slip of one of them; else what they mean together says nothing.
    pub trust_is_whole: bool,
    /// The same of `mode` and `outbound`.
    pub outbound_is_whole: bool,
    pub gateway_sends: Option<GatewaySends>,
    pub limits: Option<Limits>,
    pub anomalies: Vec<(Anomaly, Action)>,
    pub outbound: Outbound,
    pub client_ip_header: Option<HeaderName>,
    pub allow: Vec<Cidr>,
    pub deny: Vec<Cidr>,
    pub companions: Companions,
    /// Patterns of paths.
    pub exempt: Vec<PathPattern>,
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

/// What becomes of the headers that say something about the client beside the chain.
pub(crate) struct Companions {
    pub mode: CompanionMode,
    /// Names in lower case.
    pub keep: Vec<String>,
    /// Names in lower case; a last `*` matches any rest.
    pub also: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompanionMode {
    FromTrustedPeers,
    Strip,
    Keep,
}

impl Companions {
    const fn all(mode: CompanionMode) -> Self {
        Self {
            mode,
            keep: Vec::new(),
            also: Vec::new(),
        }
    }

    /// Whether a trusted peer's header of this name goes on.
    pub fn keeps(&self, name: &str) -> bool {
        self.mode == CompanionMode::Keep || self.keep.iter().any(|kept| kept == name)
    }
}

/// More trusted proxies in a row than anybody has.
const MOST_HOPS: u32 = 32;

impl Read for Forwarded {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let before = node.problems.count();
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
        let mode_is_whole = fields.problems.count() == before;
        let trust = fields.required::<Trust>("trust");
        let gateway_sends = fields.with("gatewaySends", |node| {
            choice(
                node,
                &[
                    ("Original", GatewaySends::Original),
                    ("Canonical", GatewaySends::Canonical),
                ],
            )
        });
        let limits = fields.optional("limits");
        let trust_is_whole = fields.problems.count() == before;
        let anomalies = fields.with("anomalies", anomalies).unwrap_or_default();
        let before = fields.problems.count();
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
        let outbound_is_whole = mode_is_whole && fields.problems.count() == before;
        let client_ip_header = fields.optional("clientIpHeader");
        let allow = fields.filled("allow");
        let deny = fields.filled("deny");
        let companions = fields
            .optional("companions")
            .unwrap_or(Companions::all(CompanionMode::FromTrustedPeers));
        let exempt = fields.optional::<Exempt>("exempt");
        let before = fields.problems.count();
        let known = fields.finish() == before;
        let trust = trust?;
        Some(Self {
            mode,
            hops: trust.hops,
            cidrs: trust.cidrs,
            identities: trust.identities,
            trust_is_whole: trust_is_whole && known,
            outbound_is_whole: outbound_is_whole && known,
            gateway_sends,
            limits,
            anomalies,
            outbound,
            client_ip_header,
            allow,
            deny,
            companions,
            exempt: exempt.map_or_else(Vec::new, |exempt| exempt.0),
        })
    }
}

impl Read for Companions {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        if !node.is_object() {
            let mode = choice(
                node,
                &[
                    ("FromTrustedPeers", CompanionMode::FromTrustedPeers),
                    ("Strip", CompanionMode::Strip),
                    ("Keep", CompanionMode::Keep),
                ],
            )?;
            return Some(Self::all(mode));
        }
        let mut fields = Fields::open(node)?;
        let named = fields.has("keep") || fields.has("also");
        let keep: Vec<Companion> = fields.filled("keep");
        let before = fields.problems.count();
        let also: Vec<Companion> = fields.filled("also");
        let also_is_whole = fields.problems.count() == before;
        if !named {
            fields.absent(
                &["keep", "also"],
                "neither `keep` nor `also`",
                "at least one of them",
                None,
            );
        }
        let listed = sorted(also.iter().map(|also| also.0.as_str()).collect());
        // A prefix ends in `-*`; no header has so many parts.
        let covered = |name: &str| {
            is_companion(name)
                || listed.binary_search(&name).is_ok()
                || name.match_indices('-').take(64).any(|(dash, _)| {
                    let prefix = name.get(..=dash).unwrap_or_default();
                    listed.binary_search(&format!("{prefix}*").as_str()).is_ok()
                })
        };
        for (index, Companion(name)) in keep.iter().enumerate() {
            if also_is_whole && !covered(name) && !fields.problems.passes_over() {
                let field = format!("keep[{index}]");
                let found = format!("`{name}`, which stays anyway");
                fields.problem(
                    &field,
                    found,
                    "a header that would be removed: one of the reference's lists, or of `also`, without `*`",
                );
            }
        }
        fields.finish();
        let names = |list: Vec<Companion>| list.into_iter().map(|name| name.0).collect();
        Some(Self {
            mode: CompanionMode::FromTrustedPeers,
            keep: names(keep),
            also: names(also),
        })
    }
}

/// A header's name in lower case; a last `*` matches any rest.
struct Companion(String);

impl Read for Companion {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let good = |name: &String| {
            let (fixed, wild) = match name.strip_suffix('*') {
                Some(fixed) => (fixed, true),
                None => (name.as_str(), false),
            };
            super::leaves::is_token(fixed)
                && !fixed.contains('*')
                && !is_untouchable(fixed.as_bytes())
                && (!wild || fixed.len() > 2 && fixed.ends_with('-'))
                && (is_companion(name) || super::leaves::may_set(name))
        };
        match node.text().map(|name| name.to_ascii_lowercase()).filter(good) {
            Some(name) => Some(Self(name)),
            None => node.refuse_with(
                "the name of a header, or a prefix as in `x-shop-*`",
                "not `x-forwarded-for` (see `outbound`), not `x-forwarded-client-cert`, `x-envoy-*`, `x-request-id` and trace headers, which others write, and no header of the protocol",
            ),
        }
    }
}

/// Paths where a broken chain refuses nothing.
struct Exempt(Vec<PathPattern>);

impl Read for Exempt {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let paths: Option<Filled<ExemptPath>> = fields.required("paths");
        fields.finish();
        Some(Self(paths?.0.into_iter().map(|path| path.0).collect()))
    }
}

struct ExemptPath(PathPattern);

impl Read for ExemptPath {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let expected = "`/exact` or `/tree/*`";
        match node.text().as_deref() {
            Some("*" | "/*") => node.refuse_with(
                expected,
                "everywhere a broken chain would refuse nothing; the actions under `anomalies` say that plainly",
            ),
            text => match text.and_then(PathPattern::parse) {
                Some(pattern) => Some(Self(pattern)),
                None => node.refuse_with(expected, super::rule::PATHS),
            },
        }
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
        const NAMES: [&str; 3] = ["hops", "cidrs", "identities"];
        let named = NAMES.iter().any(|name| fields.has(name));
        let hops = fields.optional("hops");
        let cidrs = fields.filled("cidrs");
        let identities = fields.filled::<Identity>("identities");
        if !named {
            fields.absent(
                &NAMES,
                "none of `hops`, `cidrs` and `identities`",
                "at least one of them",
                None,
            );
        }
        fields.finish();
        Some(Self {
            hops,
            cidrs,
            identities: identities.into_iter().map(|identity| identity.0).collect(),
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
                && path.is_some_and(|(domain, path)| {
                    // A prefix that ends inside the first segment would trust the whole mesh.
                    let whole = fixed.len() == text.len() || path.contains('/');
                    !domain.is_empty() && !path.is_empty() && whole
                })
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

/// How long a chain may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub elements: u32,
    pub bytes: u32,
}

impl Limits {
    pub const DEFAULT: Self = Self {
        elements: 32,
        bytes: 4096,
    };
}

impl Read for Limits {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let elements = fields
            .with("elements", |node| whole(node, 1, 1000))
            .unwrap_or(Self::DEFAULT.elements);
        let bytes = fields
            .with("bytes", |node| whole(node, 64, 61440))
            .unwrap_or(Self::DEFAULT.bytes);
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
    problems: &mut Problems,
) {
    if forwarded.trust_is_whole {
        check_trust(forwarded, position, path, problems);
    }
    if forwarded.outbound_is_whole {
        check_outbound(forwarded, Path::Field(&path, "outbound"), problems);
    }
    let denied = sorted(forwarded.deny.clone());
    let allow = Path::Field(&path, "allow");
    for (index, block) in forwarded.allow.iter().enumerate() {
        if denied.binary_search(block).is_ok() && !problems.passes_over() {
            problems.push(ConfigError::new(
                Path::Item(&allow, index),
                format!("`{block}`, which `deny` holds too"),
                "a block in one of the lists",
            ));
        }
    }
}

fn check_trust(
    forwarded: &Forwarded,
    position: Option<Position>,
    path: Path<'_>,
    problems: &mut Problems,
) {
    let mut refuse = |field: &str, found: &str, expected: &str, hint: &str| {
        let place = format_args!("{path}.{field}");
        let mut problem = ConfigError::new(place, found.to_owned(), expected.to_owned());
        problem.hint = (!hint.is_empty()).then(|| hint.to_owned());
        problems.push(problem);
    };
    let Forwarded {
        mode,
        hops,
        cidrs,
        identities,
        gateway_sends,
        ..
    } = forwarded;
    let range = hops.is_some_and(|hops| hops.range);
    let canonical = *gateway_sends == Some(GatewaySends::Canonical);
    if *mode == ChainMode::Envoy {
        let unknown = [
            ("trust.identities", !identities.is_empty()),
            ("anomalies", !forwarded.anomalies.is_empty()),
            ("limits", forwarded.limits.is_some()),
            ("gatewaySends", gateway_sends.is_some()),
            ("exempt", !forwarded.exempt.is_empty()),
        ];
        for (field, _) in unknown.into_iter().filter(|(_, set)| *set) {
            let hint = "mode `Envoy` does what Envoy does, which has no such thing";
            refuse(
                field,
                "a field without effect in mode `Envoy`",
                "no such field",
                hint,
            );
        }
        if hops.is_some() && !cidrs.is_empty() {
            refuse(
                "trust.cidrs",
                "hops and CIDRs in mode `Envoy`",
                "one of them",
                "Envoy takes no cross-check",
            );
        }
        if range {
            refuse("trust.hops", "a range in mode `Envoy`", "one number", "");
        }
    } else {
        if range && cidrs.is_empty() && identities.is_empty() {
            let hint = "nothing else could tell which of the numbers holds for a request";
            refuse(
                "trust.hops",
                "a range without `cidrs` and `identities`",
                "one number",
                hint,
            );
        }
        if !identities.is_empty() && hops.is_none() && cidrs.is_empty() && !canonical {
            let hint = "a trusted peer passes on what strangers wrote; `gatewaySends: Canonical` if it does not";
            refuse(
                "trust.hops",
                "identities alone with `gatewaySends: Original`",
                "hops or CIDRs too",
                hint,
            );
        }
        if position == Some(Position::SidecarInbound) && identities.is_empty() {
            let hint =
                "a sidecar does not see its peer's address, so every chain would be untrusted";
            refuse(
                "trust.identities",
                "none at a sidecar",
                "the SPIFFE ids of the gateways in front",
                hint,
            );
        }
        if position == Some(Position::SidecarInbound) && canonical && hops.is_some() {
            refuse(
                "trust.hops",
                "hops beside `gatewaySends: Canonical`",
                "no such field",
                "one canonical address has no hops to count",
            );
        }
        // The client stands left of the hops and is an element too; where CIDRs tell, every element may be a hop.
        let least = hops.map_or(0, |hops| hops.min) + u32::from(cidrs.is_empty());
        if forwarded.limits.unwrap_or(Limits::DEFAULT).elements < least {
            refuse(
                "limits.elements",
                "fewer elements than the hops need",
                &format!("at least {least}"),
                "every request would be refused",
            );
        }
    }
}

fn check_outbound(forwarded: &Forwarded, path: Path<'_>, problems: &mut Problems) {
    let problem = match (forwarded.mode, forwarded.outbound) {
        (ChainMode::Envoy, Outbound::Strip) => {
            ConfigError::new(path, "`Strip` in mode `Envoy`", "another mode of sending")
        }
        (ChainMode::Lenient, Outbound::Keep | Outbound::Append) => {
            let found = "a chain sent on as it came, in mode `Lenient`";
            ConfigError::new(path, found, "`Replace`, `Truncate` or `Strip`")
                .hint("the next hop may read ports and brackets otherwise than we do")
        }
        _ => return,
    };
    problems.push(problem);
}

//! `spec.forwarded`, as written.

use serde_json::{Value, json};

use crate::client::Anomaly;
use crate::client::Cidr;
use crate::client::{is_companion, is_untouchable};
use crate::matching::PathPattern;
use crate::request::Position;
use crate::spec::HeaderName;
use crate::spec::describe::{Definitions, Described, Field, Together};
use crate::spec::kind::{AtLeastOne, Kind, NonEmpty, Whole, Written, names, object};
use crate::spec::read::{Fields, Node, Path};
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
    /// `None`: the field is not there.
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

names! {
    /// How elements of the chain are read.
    pub(crate) ChainMode {
        /// Bare IPv4 or IPv6 addresses with spaces and tabs around them. Ports, brackets, zones, empty elements and IPv4-mapped IPv6 addresses are malformed.
        Strict,
        /// Also ports, brackets and IPv4-mapped addresses, which become the plain address. Needs `Replace`, `Truncate` or `Strip` as `outbound`.
        Lenient,
        /// As Envoy itself computes it, bit for bit: hops or CIDRs alone, no identities, no `outbound: Strip`, no anomalies and no limits but Envoy's own. What can't be read falls back to the peer, and where that is not known the client is unknown.
        Envoy,
    }
}

/// How many trusted proxies, the direct peer included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hops {
    pub min: u32,
    pub max: u32,
    /// Whether it was written as a range, even of one number.
    pub range: bool,
}

names! {
    /// What the gateway in front of a sidecar sends.
    pub(crate) GatewaySends {
        /// The chain as it came: the sidecar's `hops` are those of the gateway.
        Original,
        /// One address, since the gateway's policy has `outbound: Replace`.
        Canonical,
    }
}

names! {
    /// What follows from an anomaly.
    pub(crate) Action {
        /// The request goes on. The client is unknown after `tooLong`, `tooFewHops` and `tooManyHops`.
        Allow,
        /// The request goes on without the received chain and its companions: what is left is the peer at a gateway, and nothing at a sidecar. The client is unknown after `malformed`, `tooLong`, `tooFewHops`, `tooManyHops` and `conflict`, and else stays as it was found.
        Strip,
        /// The request is refused.
        Reject,
    }
}

names! {
    /// What the next hop gets as `x-forwarded-for`.
    pub(crate) Outbound {
        /// The chain as Envoy sends it.
        Keep,
        /// The chain with the direct peer last. Envoy does that at a gateway; at a sidecar the peer is added where its address is known, which is when there was no chain.
        Append,
        /// The client's address alone; nothing when the client is unknown.
        Replace,
        /// The client and everything right of it; nothing when the client is unknown.
        Truncate,
        /// No `x-forwarded-for`.
        Strip,
    }
}

/// What becomes of the headers that say something about the client beside the chain.
pub(crate) struct Companions {
    pub mode: CompanionMode,
    /// Names in lower case.
    pub keep: Vec<String>,
    /// Names in lower case; a last `*` matches any rest.
    pub also: Vec<String>,
}

names! {
    /// What happens to headers that tell about the client beside the chain.
    pub(crate) CompanionMode {
        /// Addresses are removed, and other companions when the peer is not trusted.
        FromTrustedPeers,
        /// They are removed, whoever the peer is.
        Strip,
        /// They stay as they are.
        Keep,
    }
}

object! {
    /// Who is the client?
    ForwardedFields for Forwarded -> Forwarded {
        /// How elements of the chain are read.
        "mode" mode: default ChainMode = ChainMode::Strict;
        /// Which proxies are trusted: by number, by address, or by identity.
        "trust" trust: required Trust;
        /// For sidecars: what the gateway in front sends.
        "gatewaySends" gateway_sends: default GatewaySends = GatewaySends::Original;
        /// How long a chain may be. A longer one is `tooLong`.
        "limits" limits: optional Limits;
        /// What follows from each anomaly of a chain.
        "anomalies" anomalies: optional Anomalies;
        /// What the next hop gets as `x-forwarded-for`.
        "outbound" outbound: default Outbound = Outbound::Keep;
        /// A header that is set to the client's address, and absent when the client is unknown.
        "clientIpHeader" client_ip_header: optional HeaderName;
        /// Clients that may come. The longest matching prefix of `allow` and `deny` decides; an address in neither is refused exactly when there is an `allow` list, and an unknown client when there is either. An IPv4-mapped address counts as the IPv4 address.
        "allow" allow: optional NonEmpty<Cidr>;
        /// Clients that may not come.
        "deny" deny: optional NonEmpty<Cidr>;
        /// What happens to headers that say something about the client beside the chain.
        "companions" companions: default Companions = Companions::all(CompanionMode::FromTrustedPeers);
        /// Paths where a broken chain refuses nothing.
        "exempt" exempt: optional Exempt;
    }
}

object! {
    /// Which proxies are trusted: by number, by address, or by identity.
    TrustFields for Trust -> Trust {
        /// How many trusted proxies stand in front of the gateway, the direct peer included: the number of Istio's `numTrustedProxies`. A range (also one of a single number) needs `cidrs` or `identities`.
        "hops" hops: optional Hops;
        /// Addresses of trusted proxies.
        "cidrs" cidrs: optional NonEmpty<Cidr>;
        /// SPIFFE ids of trusted peers. A last `*` matches any rest; at least the first segment of the path must be whole, for `filter validate` the namespace too. A policy for `SidecarInbound` needs identities, and beside them `hops`, `cidrs` or `gatewaySends: Canonical`.
        "identities" identities: optional NonEmpty<Identity>;
        any of "hops" "cidrs" "identities";
    }
}

object! {
    /// At least `min` and at most `max` trusted proxies. Needs `cidrs` or `identities`.
    HopRangeFields for HopRange -> Hops {
        /// The least number of trusted proxies.
        "min" min: required Whole<0, MOST_HOPS>;
        /// The greatest number of trusted proxies.
        "max" max: required Whole<0, MOST_HOPS>;
    }
}

object! {
    /// How long a chain may be.
    LimitsFields for Limits -> Limits {
        /// The most elements of a chain, the appended peer included.
        "elements" elements: default Whole<1, 1000> = Limits::DEFAULT.elements;
        /// The most bytes of a chain.
        "bytes" bytes: default Whole<64, 61440> = Limits::DEFAULT.bytes;
    }
}

object! {
    /// Exceptions to `FromTrustedPeers`.
    CompanionListFields for CompanionLists -> Companions {
        /// Companions that stay: addresses when the peer is trusted, others whoever the peer is.
        "keep" keep: optional NonEmpty<Companion>;
        /// Further headers that are removed as addresses are; a last `*` behind a `-` matches any rest.
        "also" also: optional NonEmpty<Companion>;
        any of "keep" "also";
    }
}

object! {
    /// Paths where a request without a received chain has its peer as the client, and a broken chain leaves the client unknown.
    ExemptFields for Exempt -> Vec<PathPattern> {
        /// Where a load balancer's own health checks arrive: `/exact` or `/tree/*`, compared as the paths of rules are.
        "paths" paths: required AtLeastOne<ExemptPath>;
    }
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

impl Forwarded {
    fn build(given: ForwardedFields, fields: Fields<'_, '_>) -> Option<Self> {
        let known = fields.finish();
        let trust_is_whole = known
            && given.mode.is_whole
            && given.trust.is_whole
            && given.gateway_sends.is_whole
            && given.limits.is_whole;
        let trust = given.trust.value?;
        Some(Self {
            mode: given.mode.value,
            hops: trust.hops,
            cidrs: trust.cidrs,
            identities: trust.identities,
            trust_is_whole,
            outbound_is_whole: known && given.mode.is_whole && given.outbound.is_whole,
            gateway_sends: given
                .gateway_sends
                .is_there
                .then_some(given.gateway_sends.value),
            limits: given.limits.value,
            anomalies: given.anomalies.value.unwrap_or_default(),
            outbound: given.outbound.value,
            client_ip_header: given.client_ip_header.value,
            allow: given.allow.value.unwrap_or_default(),
            deny: given.deny.value.unwrap_or_default(),
            companions: given.companions.value,
            exempt: given.exempt.value.unwrap_or_default(),
        })
    }
}

impl Kind for Companions {
    type Value = Self;

    fn read(node: Node<'_, '_>) -> Option<Self> {
        if node.is_object() {
            return CompanionLists::read(node);
        }
        CompanionMode::read(node).map(Self::all)
    }

    fn describe(definitions: &mut Definitions) -> Described {
        CompanionMode::describe(definitions).or(CompanionLists::describe(definitions))
    }
}

impl Written for Companions {
    fn written(value: &Self) -> Value {
        CompanionMode::written(&value.mode)
    }
}

struct CompanionLists;

impl CompanionLists {
    #[expect(clippy::unnecessary_wraps, reason = "as every `build`")]
    fn build(given: CompanionListFields, mut fields: Fields<'_, '_>) -> Option<Companions> {
        let keep = given.keep.value.unwrap_or_default();
        let also = given.also.value.unwrap_or_default();
        let listed = sorted(also.iter().map(String::as_str).collect());
        // A prefix ends in `-*`; no header has so many parts.
        let covered = |name: &str| {
            is_companion(name)
                || listed.binary_search(&name).is_ok()
                || name.match_indices('-').take(64).any(|(dash, _)| {
                    let prefix = name.get(..=dash).unwrap_or_default();
                    listed.binary_search(&format!("{prefix}*").as_str()).is_ok()
                })
        };
        for (index, name) in keep.iter().enumerate() {
            if given.also.is_whole && !covered(name) && !fields.problems.passes_over() {
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
        Some(Companions {
            mode: CompanionMode::FromTrustedPeers,
            keep,
            also,
        })
    }
}

/// A header's name in lower case; a last `*` matches any rest.
struct Companion;

impl Kind for Companion {
    type Value = String;

    fn read(node: Node<'_, '_>) -> Option<String> {
        let good = |name: &str| {
            let (fixed, wild) = match name.strip_suffix('*') {
                Some(fixed) => (fixed, true),
                None => (name, false),
            };
            super::leaves::is_token(fixed)
                && !fixed.contains('*')
                && !is_untouchable(fixed.as_bytes())
                && (!wild || fixed.len() > 2 && fixed.ends_with('-'))
                && (is_companion(name) || super::leaves::may_set(name))
        };
        let expected = "the name of a header, or a prefix as in `x-shop-*`";
        let hint = "not `x-forwarded-for` (see `outbound`), not `x-forwarded-client-cert`, `x-envoy-*`, `x-request-id` and trace headers, which others write, and no header of the protocol";
        node.parsed(expected, Some(hint), |name| {
            let name = name.to_ascii_lowercase();
            good(&name).then_some(name)
        })
    }

    fn describe(definitions: &mut Definitions) -> Described {
        definitions.named(
            "CompanionName",
            "The name of a header; in `also` a last `*` behind a `-` matches any rest.",
            json!({"type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"}),
            "header name",
        )
    }
}

/// Paths where a broken chain refuses nothing.
struct Exempt;

impl Exempt {
    fn build(given: ExemptFields, fields: Fields<'_, '_>) -> Option<Vec<PathPattern>> {
        fields.finish();
        given.paths.value
    }
}

struct ExemptPath;

impl Kind for ExemptPath {
    type Value = PathPattern;

    fn read(node: Node<'_, '_>) -> Option<PathPattern> {
        let expected = "`/exact` or `/tree/*`";
        if let Some("*" | "/*") = node.text().as_deref() {
            return node.refuse_with(
                expected,
                "everywhere a broken chain would refuse nothing; the actions under `anomalies` say that plainly",
            );
        }
        node.parsed(expected, Some(super::rule::PATHS), PathPattern::parse)
    }

    fn describe(definitions: &mut Definitions) -> Described {
        PathPattern::describe(definitions)
    }
}

struct Trust {
    hops: Option<Hops>,
    cidrs: Vec<Cidr>,
    identities: Vec<String>,
}

impl Trust {
    #[expect(clippy::unnecessary_wraps, reason = "as every `build`")]
    fn build(given: TrustFields, fields: Fields<'_, '_>) -> Option<Self> {
        fields.finish();
        Some(Self {
            hops: given.hops.value,
            cidrs: given.cidrs.value.unwrap_or_default(),
            identities: given.identities.value.unwrap_or_default(),
        })
    }
}

impl Kind for Hops {
    type Value = Self;

    fn read(node: Node<'_, '_>) -> Option<Self> {
        if node.is_object() {
            return HopRange::read(node);
        }
        let hops = Whole::<0, MOST_HOPS>::read(node)?;
        Some(Self {
            min: hops,
            max: hops,
            range: false,
        })
    }

    fn describe(definitions: &mut Definitions) -> Described {
        Whole::<0, MOST_HOPS>::describe(definitions).or(HopRange::describe(definitions))
    }
}

struct HopRange;

impl HopRange {
    fn build(given: HopRangeFields, mut fields: Fields<'_, '_>) -> Option<Hops> {
        let (min, max) = (given.min.value, given.max.value);
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
        Some(Hops {
            min: min?,
            max: max?,
            range: true,
        })
    }
}

/// A SPIFFE id, or a prefix of ids that ends in `*`.
struct Identity;

impl Kind for Identity {
    type Value = String;

    fn read(node: Node<'_, '_>) -> Option<String> {
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
        let expected = "a SPIFFE id, as in `spiffe://cluster.local/ns/istio-system/sa/gateway`";
        let hint =
            "only a last `*` is a wildcard, and at least one segment of the path comes before it";
        node.parsed(expected, Some(hint), |text| {
            good(text).then(|| text.to_owned())
        })
    }

    fn describe(definitions: &mut Definitions) -> Described {
        definitions.named(
            "Identity",
            "A SPIFFE id; a last `*` matches any rest.",
            json!({"type": "string", "pattern": r"^spiffe://[!-)+-.0-~]+/[!-)+-~]+\*?$"}),
            "SPIFFE id",
        )
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

impl Limits {
    #[expect(clippy::unnecessary_wraps, reason = "as every `build`")]
    fn build(given: LimitsFields, fields: Fields<'_, '_>) -> Option<Self> {
        fields.finish();
        Some(Self {
            elements: given.elements.value,
            bytes: given.bytes.value,
        })
    }
}

/// What follows from each anomaly: an object with their names.
struct Anomalies;

impl Kind for Anomalies {
    type Value = Vec<(Anomaly, Action)>;

    fn read(node: Node<'_, '_>) -> Option<Self::Value> {
        let mut fields = Fields::open(node)?;
        let mut actions = Vec::new();
        for anomaly in Anomaly::ALL {
            let action = fields.optional::<Action>(anomaly.name()).value;
            actions.extend(action.map(|action| (anomaly, action)));
        }
        fields.finish();
        Some(actions)
    }

    fn describe(definitions: &mut Definitions) -> Described {
        let fields = |definitions: &mut Definitions| {
            let field = |anomaly: Anomaly| Field {
                name: anomaly.name(),
                about: anomaly.when().to_owned(),
                is_required: false,
                kind: Action::describe(definitions),
                default: Some(Action::written(&anomaly.default_action())),
            };
            Anomaly::ALL.map(field).into()
        };
        let about = ["What follows from each anomaly of a chain."];
        let together = Together {
            any: &[],
            one: &[],
            rest: Vec::new(),
        };
        definitions.object("Anomalies", &about, fields, together)
    }
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
            ConfigError::new(path, "`Strip` in mode `Envoy`", "another value")
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

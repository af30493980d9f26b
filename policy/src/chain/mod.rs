//! Who is the client? The forwarded chain, read from the right.
//!
//! Every proxy appends its peer to `x-forwarded-for`, so the rightmost element was written by the nearest proxy and everything left of the last trusted one by strangers.
//! INVARIANT: right-to-left: what stands left of a client that was found never changes who the client is; it can only get the request refused.

pub(crate) mod elements;
pub(crate) mod envoy;
mod rfc7239;

use std::net::IpAddr;

use crate::config::{Action, ChainMode, Forwarded, GatewaySends, Hops, Limits};
use crate::net::{CidrMap, is_private};
use crate::reason::Reason;
use crate::request::{Position, Request};
use elements::{from_right, lenient, list, strict, trim};
use envoy::Emulated;

/// Who the client is, as far as can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// The address, and how it was found.
    Known(IpAddr, How),
    /// Why there is none.
    Unknown(Unknown),
}

impl Client {
    /// The address, when it is known.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Known(address, _) => Some(address),
            Self::Unknown(_) => None,
        }
    }
}

/// How a client was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Left of the trusted proxies.
    Chain,
    /// It is the connection's peer.
    Peer,
    /// Leftmost in a chain for which a trusted identity vouches.
    Vouched,
    /// Leftmost, because every element is a trusted proxy.
    AllTrusted,
    /// The one address that the gateway sent.
    Canonical,
}

/// Why a client is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The policy has no `forwarded`, or leaves this traffic alone.
    NotJudged,
    /// There is no chain to find it in.
    NoChain,
    /// The chain can't be believed.
    Anomaly(Anomaly),
}

/// What can be odd about a chain. The order is that in which one of several gives the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// Over a limit.
    TooLong,
    /// An element is no address.
    Malformed,
    /// The peer is no trusted proxy.
    UntrustedPeer,
    /// Fewer trusted hops than due.
    TooFewHops,
    /// More trusted hops than due.
    TooManyHops,
    /// The `forwarded` header tells of another chain.
    Conflict,
    /// Every element is a trusted proxy.
    AllTrusted,
    /// The client's address is private.
    PrivateClient,
}

impl Anomaly {
    /// All of them, in the order in which they give the reason.
    pub const ALL: [Self; 8] = [
        Self::TooLong,
        Self::Malformed,
        Self::UntrustedPeer,
        Self::TooFewHops,
        Self::TooManyHops,
        Self::Conflict,
        Self::AllTrusted,
        Self::PrivateClient,
    ];

    /// Its name under `spec.forwarded.anomalies`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "tooLong",
            Self::Malformed => "malformed",
            Self::UntrustedPeer => "untrustedPeer",
            Self::TooFewHops => "tooFewHops",
            Self::TooManyHops => "tooManyHops",
            Self::Conflict => "conflict",
            Self::AllTrusted => "allTrusted",
            Self::PrivateClient => "privateClient",
        }
    }

    /// The reason of a refusal for it.
    pub const fn reason(self) -> Reason {
        match self {
            Self::TooLong => Reason::ChainTooLong,
            Self::Malformed => Reason::ChainMalformed,
            Self::UntrustedPeer => Reason::UntrustedPeer,
            Self::TooFewHops => Reason::TooFewHops,
            Self::TooManyHops => Reason::TooManyHops,
            Self::Conflict => Reason::ForwardedConflict,
            Self::AllTrusted => Reason::AllTrusted,
            Self::PrivateClient => Reason::PrivateClient,
        }
    }

    const fn default_action(self) -> Action {
        match self {
            Self::UntrustedPeer => Action::Strip,
            Self::AllTrusted | Self::PrivateClient => Action::Allow,
            _ => Action::Reject,
        }
    }

    /// Whether stripping for it also gives up a client that was found: the chain contradicts itself.
    const fn voids_client(self) -> bool {
        matches!(
            self,
            Self::TooLong | Self::Malformed | Self::TooFewHops | Self::TooManyHops | Self::Conflict
        )
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of anomalies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anomalies(u8);

impl Anomalies {
    /// Whether it holds an anomaly.
    pub const fn contains(self, anomaly: Anomaly) -> bool {
        self.0 & anomaly.bit() != 0
    }

    /// Those that it holds.
    pub fn iter(self) -> impl Iterator<Item = Anomaly> {
        Anomaly::ALL
            .into_iter()
            .filter(move |anomaly| self.contains(*anomaly))
    }

    const fn add(&mut self, anomaly: Anomaly) {
        self.0 |= anomaly.bit();
    }
}

/// What the chain tells, before any action is taken.
#[derive(Clone, Copy, Debug)]
pub struct Finding {
    /// Who the client is.
    pub client: Client,
    /// Where in the chain it stands, counted from the right from 0.
    pub client_index: Option<u32>,
    /// How many elements the chain has.
    pub elements: u32,
    /// How many from the right are trusted.
    pub trusted: u32,
    /// Whether the peer may speak for others.
    pub peer_trusted: bool,
    /// The peer's address, from the chain at a gateway, else from the connection.
    pub peer: Option<IpAddr>,
    /// What is odd.
    pub anomalies: Anomalies,
}

impl Finding {
    fn new(client: Client) -> Self {
        Self {
            client,
            client_index: None,
            elements: 0,
            trusted: 0,
            peer_trusted: false,
            peer: None,
            anomalies: Anomalies::default(),
        }
    }

    /// The same, seen with the element of the peer behind it.
    fn behind_peer(self) -> Self {
        Self {
            elements: self.elements.saturating_add(1),
            client_index: self.client_index.map(|index| index.saturating_add(1)),
            trusted: 1,
            peer_trusted: true,
            ..self
        }
    }

    fn unknown(&mut self, anomaly: Anomaly) {
        self.anomalies.add(anomaly);
        self.client = Client::Unknown(Unknown::Anomaly(anomaly));
        self.client_index = None;
    }
}

/// What to do about a finding.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolved {
    Reject(Reason),
    Strip(Client),
    Go(Client),
}

/// `spec.forwarded`, compiled: who is trusted and what follows.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    trust: Trust,
    lenient: bool,
    canonical: bool,
    limits: Limits,
    actions: [Action; Anomaly::ALL.len()],
}

#[derive(Clone, Debug)]
enum Trust {
    Emulated(Emulated),
    Judged {
        hops: Option<Hops>,
        cidrs: Option<CidrMap<()>>,
        identities: Vec<String>,
    },
}

impl Chain {
    pub fn compile(wire: &Forwarded) -> Self {
        let cidrs = (!wire.cidrs.is_empty())
            .then(|| CidrMap::new(wire.cidrs.iter().map(|block| (*block, ()))));
        let trust = match (wire.mode, cidrs) {
            (ChainMode::Envoy, Some(cidrs)) => Trust::Emulated(Emulated::Cidrs(cidrs)),
            (ChainMode::Envoy, None) => {
                Trust::Emulated(Emulated::Hops(wire.hops.map_or(0, |hops| hops.min)))
            }
            (_, cidrs) => Trust::Judged {
                hops: wire.hops,
                cidrs,
                identities: wire.identities.clone(),
            },
        };
        let actions = Anomaly::ALL.map(|anomaly| {
            let named = wire.anomalies.iter().find(|(name, _)| *name == anomaly);
            named.map_or(anomaly.default_action(), |(_, action)| *action)
        });
        Self {
            trust,
            lenient: wire.mode == ChainMode::Lenient,
            canonical: wire.gateway_sends == Some(GatewaySends::Canonical),
            limits: wire.limits.unwrap_or(Limits::DEFAULT),
            actions,
        }
    }

    /// Whether this is Envoy's own reading, which has no anomalies.
    pub fn emulates_envoy(&self) -> bool {
        matches!(self.trust, Trust::Emulated(_))
    }

    /// Whether a gateway can meet a peer that it does not trust.
    pub fn may_distrust_peer(&self) -> bool {
        match &self.trust {
            Trust::Emulated(Emulated::Hops(hops)) => *hops == 0,
            Trust::Emulated(Emulated::Cidrs(_)) => true,
            Trust::Judged {
                hops,
                cidrs,
                identities,
            } => cidrs.is_some() || !identities.is_empty() || hops.is_none_or(|hops| hops.min == 0),
        }
    }

    /// Whether a chain can be dropped whole.
    pub fn may_strip(&self) -> bool {
        let strips = |anomaly: Anomaly| self.action(anomaly) == Action::Strip;
        !self.emulates_envoy()
            && Anomaly::ALL.into_iter().any(|anomaly| {
                strips(anomaly) && (anomaly != Anomaly::UntrustedPeer || self.may_distrust_peer())
            })
    }

    fn action(&self, anomaly: Anomaly) -> Action {
        self.actions
            .get(anomaly as usize)
            .copied()
            .unwrap_or(Action::Reject)
    }

    /// Whether a peer's identity matters.
    pub fn knows_identities(&self) -> bool {
        matches!(&self.trust, Trust::Judged { identities, .. } if !identities.is_empty())
    }

    /// Reads the chain.
    pub fn find(&self, request: &Request<'_>, position: Position) -> Finding {
        let list = list(request);
        let list = list.as_deref();
        let mut finding = match &self.trust {
            Trust::Emulated(emulated) => return self.emulate(emulated, request, position, list),
            Trust::Judged {
                hops,
                cidrs,
                identities,
            } => {
                let judge = Judge {
                    chain: self,
                    hops: *hops,
                    cidrs: cidrs.as_ref(),
                    identities,
                    request,
                };
                match position {
                    Position::Gateway => judge.at_gateway(list),
                    // An outbound request that is judged comes from the workload itself, which is no proxy.
                    Position::SidecarInbound | Position::SidecarOutbound => judge.at_sidecar(list),
                }
            }
        };
        self.compare_forwarded(request, list, &mut finding);
        if finding.client.address().is_some_and(is_private) {
            finding.anomalies.add(Anomaly::PrivateClient);
        }
        finding
    }

    /// Applies the actions to a finding.
    pub fn resolve(&self, finding: &Finding) -> Resolved {
        if self.emulates_envoy() {
            return Resolved::Go(finding.client);
        }
        let action = |anomaly| self.action(anomaly);
        if let Some(rejected) = finding
            .anomalies
            .iter()
            .find(|anomaly| action(*anomaly) == Action::Reject)
        {
            return Resolved::Reject(rejected.reason());
        }
        let mut client = finding.client;
        let mut strip = false;
        for anomaly in finding
            .anomalies
            .iter()
            .filter(|anomaly| action(*anomaly) == Action::Strip)
        {
            strip = true;
            if anomaly.voids_client() {
                client = Client::Unknown(Unknown::Anomaly(anomaly));
            }
        }
        if strip {
            Resolved::Strip(client)
        } else {
            Resolved::Go(client)
        }
    }

    /// An element's address in this mode's spelling.
    pub fn parse(&self, element: &[u8]) -> Option<IpAddr> {
        if self.lenient {
            lenient(element)
        } else {
            strict(element)
        }
    }

    fn emulate(
        &self,
        emulated: &Emulated,
        request: &Request<'_>,
        position: Position,
        list: Option<&[u8]>,
    ) -> Finding {
        let (client, index) = match position {
            Position::Gateway => emulated.at_gateway(list, request.peer.address),
            Position::SidecarInbound | Position::SidecarOutbound => {
                emulated.at_sidecar(list, request.peer.address)
            }
        };
        let mut finding = Finding::new(client);
        finding.elements = list.map_or(0, count);
        finding.peer = request.peer.address;
        finding.client_index = index;
        finding.trusted = index.unwrap_or(0);
        finding.peer_trusted = index.is_some() || !self.may_distrust_peer();
        finding
    }

    /// A `forwarded` header must name the chain that `x-forwarded-for` names; whether the last proxy wrote both or only the latter is left open.
    fn compare_forwarded(&self, request: &Request<'_>, list: Option<&[u8]>, finding: &mut Finding) {
        if request.first("forwarded").is_none() || finding.anomalies.contains(Anomaly::TooLong) {
            return;
        }
        let told = rfc7239::addresses(request.all("forwarded"));
        let mut chain: Vec<Option<IpAddr>> =
            list.map_or_else(Vec::new, |list| from_right(list).map(lenient).collect());
        chain.reverse();
        let same = told.is_some_and(|told| {
            let told: Vec<Option<IpAddr>> = told.into_iter().map(Some).collect();
            told == chain || Some(told.as_slice()) == chain.split_last().map(|(_, left)| left)
        });
        if !same {
            finding.anomalies.add(Anomaly::Conflict);
        }
    }
}

/// How many elements a list has; an empty list has none.
fn count(list: &[u8]) -> u32 {
    if trim(list).is_empty() {
        0
    } else {
        u32::try_from(from_right(list).count()).unwrap_or(u32::MAX)
    }
}

/// One reading of one chain.
struct Judge<'a, 'r> {
    chain: &'a Chain,
    hops: Option<Hops>,
    cidrs: Option<&'a CidrMap<()>>,
    identities: &'a [String],
    request: &'a Request<'r>,
}

impl Judge<'_, '_> {
    fn at_gateway(&self, list: Option<&[u8]>) -> Finding {
        // The last element was appended by this Envoy. Without a list there was no address to append (a Unix socket).
        let Some(list) = list else {
            let mut finding = Finding::new(Client::Unknown(Unknown::NoChain));
            let by_place = self.cidrs.is_none() && self.identities.is_empty();
            let due = by_place && self.hops.is_some_and(|hops| hops.min > 0);
            finding.unknown(if due {
                Anomaly::TooFewHops
            } else {
                Anomaly::UntrustedPeer
            });
            return finding;
        };
        let appended = list.iter().rposition(|b| *b == b',');
        let peer = list
            .get(appended.map_or(0, |comma| comma + 1)..)
            .and_then(|element| self.chain.parse(trim(element)));
        let by_identity = self.cidrs.is_none() && !self.identities.is_empty();
        let mut finding = if !by_identity {
            self.walk(list)
        } else if !self.knows_peer() {
            self.untrusted(list, peer.map(|peer| Client::Known(peer, How::Peer)))
        } else if self.chain.canonical && self.hops.is_none() {
            self.one(list.get(..appended.unwrap_or(0)).unwrap_or_default())
                .behind_peer()
        } else {
            self.walk(list)
        };
        finding.peer = peer;
        finding
    }

    fn at_sidecar(&self, list: Option<&[u8]>) -> Finding {
        let list = trim(list.unwrap_or_default());
        let peer = self.request.peer.address;
        let mut finding = if !self.knows_peer() {
            let client = peer
                .filter(|_| list.is_empty())
                .map(|peer| Client::Known(peer, How::Peer));
            self.untrusted(list, client)
        } else {
            let mut finding = if self.chain.canonical || list.is_empty() {
                self.one(list)
            } else {
                self.walk(list)
            };
            finding.peer_trusted = true;
            finding
        };
        finding.peer = peer;
        finding
    }

    /// A list of a peer whose identity is not trusted: nobody vouches for any of it, but its form is judged all the same.
    fn untrusted(&self, list: &[u8], client: Option<Client>) -> Finding {
        let mut finding = Finding::new(Client::Unknown(Unknown::NoChain));
        finding.elements = count(list);
        if self.limit(list, &mut finding) {
            finding.anomalies.add(Anomaly::UntrustedPeer);
            return finding;
        }
        if finding.elements > 0
            && from_right(list).any(|element| self.chain.parse(element).is_none())
        {
            finding.anomalies.add(Anomaly::Malformed);
        }
        finding.unknown(Anomaly::UntrustedPeer);
        if let Some(client) = client {
            finding.client = client;
            finding.client_index = (finding.elements > 0).then_some(0);
        }
        finding
    }

    /// Whether the peer's identity is one of those that are trusted.
    fn knows_peer(&self) -> bool {
        let Some(identity) = self.request.peer.identity else {
            return false;
        };
        self.identities
            .iter()
            .any(|known| match known.strip_suffix('*') {
                Some(prefix) => identity.starts_with(prefix.as_bytes()),
                None => identity == known.as_bytes(),
            })
    }

    /// Notes a list that is over a limit.
    fn limit(&self, list: &[u8], finding: &mut Finding) -> bool {
        let over = list.len() > self.chain.limits.bytes as usize
            || finding.elements > self.chain.limits.elements;
        if over {
            finding.unknown(Anomaly::TooLong);
        }
        over
    }

    /// A list that a trusted gateway made of one address.
    fn one(&self, list: &[u8]) -> Finding {
        let mut finding = Finding::new(Client::Unknown(Unknown::NoChain));
        finding.elements = count(list);
        if self.limit(list, &mut finding) {
            return finding;
        }
        match (finding.elements, self.chain.parse(trim(list))) {
            (1, Some(address)) => {
                finding.client = Client::Known(address, How::Canonical);
                finding.client_index = Some(0);
            }
            (0, _) => finding.unknown(Anomaly::TooFewHops),
            (1, None) => finding.unknown(Anomaly::Malformed),
            _ => finding.unknown(Anomaly::TooManyHops),
        }
        finding
    }

    /// Walks a list from the right, over the trusted proxies to the client.
    fn walk(&self, list: &[u8]) -> Finding {
        let mut finding = Finding::new(Client::Unknown(Unknown::NoChain));
        finding.elements = count(list);
        if self.limit(list, &mut finding) {
            return finding;
        }
        let (mut trusting, mut malformed_at, mut leftmost) = (true, None, None);
        let mut due = None;
        for (index, element) in (0u32..).zip(from_right(list)) {
            let address = self.chain.parse(element);
            if address.is_none() {
                malformed_at = malformed_at.or(Some(index));
            }
            if trusting {
                if address.is_some_and(|address| self.trusts(address, index)) {
                    finding.trusted += 1;
                } else {
                    trusting = false;
                    due = address;
                }
            }
            leftmost = address;
        }
        let all_trusted = trusting;
        finding.peer_trusted = finding.trusted > 0;
        if malformed_at.is_some_and(|index| index <= finding.trusted) {
            finding.unknown(Anomaly::Malformed);
            return finding;
        }
        if malformed_at.is_some() {
            finding.anomalies.add(Anomaly::Malformed);
        }
        self.count_hops(&mut finding, all_trusted);
        if !finding.anomalies.contains(Anomaly::TooFewHops)
            && !finding.anomalies.contains(Anomaly::TooManyHops)
        {
            let index = finding.trusted.min(finding.elements.saturating_sub(1));
            let (address, how) = match (all_trusted, self.vouches()) {
                (true, true) => (leftmost, How::Vouched),
                (true, false) => (leftmost, How::AllTrusted),
                (false, _) if finding.trusted == 0 => (due, How::Peer),
                (false, _) => (due, How::Chain),
            };
            if let Some(address) = address {
                finding.client = Client::Known(address, how);
                finding.client_index = Some(index);
            }
        }
        finding
    }

    /// Whether the chain is taken whole because a trusted identity sent it.
    fn vouches(&self) -> bool {
        self.cidrs.is_none()
            && !self.identities.is_empty()
            && self.hops.is_none_or(|hops| hops.range)
    }

    /// Whether an element is a trusted proxy: by its address, by its place, or because the peer vouches for it.
    fn trusts(&self, address: IpAddr, index: u32) -> bool {
        match (self.cidrs, self.hops) {
            (Some(cidrs), _) => cidrs.get(address).is_some(),
            (None, Some(hops)) if !self.vouches() => index < hops.min,
            _ => true,
        }
    }

    /// Compares the number of trusted hops with what is due.
    fn count_hops(&self, finding: &mut Finding, all_trusted: bool) {
        let by_place = self.cidrs.is_none() && !self.vouches();
        if all_trusted && by_place {
            // The list ends before the client's place.
            finding.unknown(Anomaly::TooFewHops);
            return;
        }
        if self.vouches() {
            // The leftmost is the client, so it is no hop.
            finding.trusted = finding.trusted.saturating_sub(1);
        }
        match self.hops {
            Some(hops) if finding.trusted < hops.min => finding.unknown(Anomaly::TooFewHops),
            Some(hops) if finding.trusted > hops.max => finding.unknown(Anomaly::TooManyHops),
            None if finding.trusted == 0 && self.cidrs.is_some() => {
                finding.anomalies.add(Anomaly::UntrustedPeer)
            }
            _ => {}
        }
        if all_trusted && !self.vouches() {
            finding.anomalies.add(Anomaly::AllTrusted);
        }
    }
}

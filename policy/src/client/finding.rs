//! What a chain tells: who the client is, and what is odd.

use std::net::IpAddr;

use crate::reason::Reason;
use crate::spec::Action;

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
    /// The chain has this anomaly.
    Anomaly(Anomaly),
}

/// What can be odd about a chain. The order is that in which one of several gives the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// Over a limit.
    TooLong,
    /// An element at the client's place or right of it is no address.
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

    /// When a chain has it, in the words of the reference.
    pub(crate) const fn when(self) -> &'static str {
        match self {
            Self::TooLong => "the chain is longer than `limits` allow",
            Self::Malformed => "an element at the client's place or right of it is no address",
            Self::UntrustedPeer => "the peer is no trusted proxy",
            Self::TooFewHops => "fewer trusted hops than due",
            Self::TooManyHops => "more trusted hops than due",
            Self::Conflict => {
                "a trusted peer's `forwarded` header that goes on (see `companions`) can't be read, or its `for` nodes are not the chain's addresses, with or without the last one; a node without an address (no `for`, `unknown`, `_hidden`) contradicts nothing"
            }
            Self::AllTrusted => "every element is a trusted proxy",
            Self::PrivateClient => {
                "the client is a private, loopback, link-local, site-local, shared, unspecified, multicast or broadcast address, or such an IPv4 address inside NAT64's `64:ff9b::/96` or 6to4's `2002::/16`"
            }
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

    pub(crate) const fn default_action(self) -> Action {
        match self {
            Self::UntrustedPeer => Action::Strip,
            Self::AllTrusted | Self::PrivateClient => Action::Allow,
            _ => Action::Reject,
        }
    }

    /// Whether stripping for it also gives up a client that was found: the chain contradicts itself.
    pub(super) const fn voids_client(self) -> bool {
        matches!(
            self,
            Self::TooLong | Self::Malformed | Self::TooFewHops | Self::TooManyHops | Self::Conflict
        )
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

// A ninth anomaly needs a wider set, and lists of actions are in the order of the variants.
const _: () = {
    assert!(Anomaly::ALL.len() <= 8);
    let (mut place, mut left) = (0, Anomaly::ALL.as_slice());
    while let [first, rest @ ..] = left {
        assert!(*first as usize == place);
        (place, left) = (place + 1, rest);
    }
};

/// A set of anomalies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anomalies(u8);

impl Anomalies {
    /// Whether it holds an anomaly.
    pub const fn contains(self, anomaly: Anomaly) -> bool {
        self.0 & anomaly.bit() != 0
    }

    /// Whether it holds none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that it holds.
    pub fn iter(self) -> impl Iterator<Item = Anomaly> {
        Anomaly::ALL
            .into_iter()
            .filter(move |anomaly| self.contains(*anomaly))
    }

    pub(super) const fn add(&mut self, anomaly: Anomaly) {
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
    pub(super) fn new(client: Client) -> Self {
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
    pub(super) fn behind_peer(self) -> Self {
        Self {
            elements: self.elements.saturating_add(1),
            client_index: self.client_index.map(|index| index.saturating_add(1)),
            trusted: 1,
            peer_trusted: true,
            ..self
        }
    }

    pub(super) fn unknown(&mut self, anomaly: Anomaly) {
        self.anomalies.add(anomaly);
        self.client = Client::Unknown(Unknown::Anomaly(anomaly));
        self.client_index = None;
    }
}

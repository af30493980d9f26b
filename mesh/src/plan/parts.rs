//! Which part of Istio a rendered object belongs to: parts are applied one after the other.

use crate::object::Object;
use crate::observed::COMPONENT_LABEL;

/// Parts in the order in which they are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Base,
    Istiod,
    Cni,
    Gateways,
}

impl Part {
    pub(super) const ALL: [Self; 4] = [Self::Base, Self::Istiod, Self::Cni, Self::Gateways];

    /// By istioctl's label; where a chart forgot it, by what the object is.
    pub(super) fn of(object: &Object) -> Self {
        match object.label(COMPONENT_LABEL) {
            Some("Pilot") => Self::Istiod,
            Some("Cni") => Self::Cni,
            Some("IngressGateways" | "EgressGateways") => Self::Gateways,
            Some(_) => Self::Base,
            // istiod's own roles carry no label, and one of them is named after gateways.
            None if object.name().starts_with("istiod") => Self::Istiod,
            None if object.name().contains("gateway") => Self::Gateways,
            None if object.name().contains("cni") => Self::Cni,
            None => Self::Base,
        }
    }

    /// The value of istioctl's label, for objects that lack it.
    pub(super) fn component(self) -> &'static str {
        match self {
            Self::Base => "Base",
            Self::Istiod => "Pilot",
            Self::Cni => "Cni",
            Self::Gateways => "IngressGateways",
        }
    }

    /// Names of the steps that apply it and wait for it, and what people call it.
    pub(super) fn steps(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Base => ("base", "base-ready", "accounts and roles"),
            Self::Istiod => ("istiod", "istiod-ready", "istiod"),
            Self::Cni => ("cni", "cni-ready", "CNI node agents"),
            Self::Gateways => ("gateways", "gateways-ready", "gateways"),
        }
    }
}

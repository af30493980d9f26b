//! Profiles: resources and replicas by the size of the cluster. The values are data, in `mesh/profiles/`.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::input::yaml;
use crate::problem::{Problem, list, nearest};
use crate::quantity::Quantity;

/// A production cluster has at least this many CPUs, all nodes together.
const PRODUCTION_CPUS: u128 = 5;
/// And at least this many bytes of memory: ten decimal gigabytes.
const PRODUCTION_BYTES: u128 = 10_000_000_000;

/// Which resources and replicas the components get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Light: one replica of everything, no disruption budgets.
    Evaluation,
    /// Kyma's production tables.
    Production,
}

/// What a node can hold, from its `status.capacity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeCapacity {
    /// CPUs.
    pub cpu: Quantity,
    /// Bytes.
    pub memory: Quantity,
}

impl NodeCapacity {
    /// Reads the two quantities, as in `4` and `16393244Ki`; `None` when either is none.
    #[must_use]
    pub fn parse(cpu: &str, memory: &str) -> Option<Self> {
        Some(Self {
            cpu: Quantity::parse(cpu)?,
            memory: Quantity::parse(memory)?,
        })
    }
}

impl Profile {
    /// The profile for a cluster of these nodes, and why.
    #[must_use]
    pub fn for_cluster(nodes: &[NodeCapacity]) -> (Self, String) {
        let millicpus: u128 = nodes.iter().map(|node| node.cpu.0).sum();
        let bytes = nodes.iter().map(|node| node.memory.0).sum::<u128>() / 1000;
        let production = millicpus >= PRODUCTION_CPUS * 1000 && bytes >= PRODUCTION_BYTES;
        let profile = if production {
            Self::Production
        } else {
            Self::Evaluation
        };
        let count = match nodes.len() {
            1 => "1 node has".to_owned(),
            count => format!("{count} nodes have"),
        };
        let why = format!(
            "{count} {}.{:03} CPUs and {}.{:03} GB of memory; production begins at {PRODUCTION_CPUS} CPUs and {} GB",
            millicpus / 1000,
            millicpus % 1000,
            bytes / 1_000_000_000,
            bytes / 1_000_000 % 1000,
            PRODUCTION_BYTES / 1_000_000_000,
        );
        (profile, why)
    }

    /// The profile's part of an `IstioOperator` spec.
    pub(crate) fn spec(self) -> Value {
        data(match self {
            Self::Evaluation => include_str!("../../profiles/evaluation.yaml"),
            Self::Production => include_str!("../../profiles/production.yaml"),
        })
    }
}

/// What Kyma asks of every mesh.
pub(crate) fn mesh() -> Value {
    data(include_str!("../../profiles/mesh.yaml"))
}

/// A file of ours; that each is well-formed is tested.
fn data(text: &str) -> Value {
    let documents = yaml::documents(text).unwrap_or_default();
    documents.first().map_or(Value::Null, yaml::Node::to_json)
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Evaluation => "evaluation",
            Self::Production => "production",
        })
    }
}

impl FromStr for Profile {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        const NAMES: [&str; 2] = ["evaluation", "production"];
        match text {
            "evaluation" => Ok(Self::Evaluation),
            "production" => Ok(Self::Production),
            _ => {
                let problem = Problem::new(
                    "profile",
                    format!("`{text}`"),
                    format!("one of {}", list(&NAMES)),
                );
                Err(match nearest(text, &NAMES) {
                    Some(near) => problem.hint(format!("did you mean `{near}`?")),
                    None => problem,
                })
            }
        }
    }
}

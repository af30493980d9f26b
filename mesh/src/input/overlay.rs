//! An `IstioOperator` file that a user lays over the composed one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::known;
use super::path::{Path, Step};
use super::yaml::{self, Kind, Node};
use crate::problem::{Place, Problem};

/// The apiVersion of an `IstioOperator`.
pub const API_VERSION: &str = "install.istio.io/v1alpha1";
/// The kind.
pub const KIND: &str = "IstioOperator";

/// An overlay that was read and found good.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlay {
    /// What the user calls it, a file name mostly.
    pub name: String,
    /// Its `spec`, an object.
    pub spec: Value,
    places: BTreeMap<Path, Place>,
}

impl Overlay {
    /// Reads one `IstioOperator` with nothing but a `spec`. Unknown fields are refused as deep as `known` goes.
    pub fn read(name: impl Into<String>, text: &str) -> Result<Self, Vec<Problem>> {
        let documents = yaml::documents(text).map_err(|problem| vec![problem])?;
        let [document] = &documents[..] else {
            let found = format!("{} documents", documents.len());
            return Err(vec![Problem::new("", found, "one IstioOperator")]);
        };
        let mut problems = head(document);
        let mut places = BTreeMap::new();
        let mut spec = Value::Object(serde_json::Map::new());
        if let Some(field) = document.field("spec") {
            walk(&field.node, &Path::root(), &mut places, &mut problems);
            spec = field.node.to_json();
            if !spec.is_object() {
                problems.push(
                    Problem::new("spec", field.node.describe(), "an object").at(field.node.place),
                );
            }
        }
        if !problems.is_empty() {
            problems.sort_by_key(|problem| problem.place);
            return Err(problems);
        }
        Ok(Self {
            name: name.into(),
            spec,
            places,
        })
    }

    /// The line of the value at `path`, if it stands in this overlay.
    #[must_use]
    pub fn line(&self, path: &Path) -> Option<u64> {
        self.places.get(path).map(|place| place.line)
    }
}

fn head(document: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !matches!(document.kind, Kind::Object(_)) {
        return vec![Problem::new("", document.describe(), "an IstioOperator").at(document.place)];
    }
    for (name, expected) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        let field = document.field(name);
        if field.and_then(|field| field.node.text()) != Some(expected) {
            let found = field.map_or("nothing".to_owned(), |field| field.node.describe());
            let place = field.map_or(document.place, |field| field.node.place);
            problems.push(Problem::new(name, found, format!("`{expected}`")).at(place));
        }
    }
    for field in document.fields() {
        match field.name.as_str() {
            "apiVersion" | "kind" | "spec" => {}
            "metadata" => {
                let namespace = field.node.field("namespace");
                if let Some(namespace) =
                    namespace.filter(|field| field.node.text() != Some("istio-system"))
                {
                    let problem = Problem::new(
                        "metadata.namespace",
                        namespace.node.describe(),
                        "`istio-system`, or no namespace",
                    );
                    problems.push(problem.at(namespace.node.place));
                }
            }
            name => {
                let problem = Problem::new(
                    name,
                    "an unknown field",
                    "one of `apiVersion`, `kind`, `metadata`, `spec`",
                );
                problems.push(problem.at(field.place));
            }
        }
    }
    problems
}

/// Notes where everything stands and looks for unknown names.
fn walk(node: &Node, path: &Path, places: &mut BTreeMap<Path, Place>, problems: &mut Vec<Problem>) {
    for field in node.fields() {
        let below = path.key(&field.name);
        places.insert(below.clone(), field.place);
        match known::check(&below) {
            Ok(()) => walk(&field.node, &below, places, problems),
            Err(problem) => problems.push(problem.at(field.place)),
        }
    }
    let Kind::List(items) = &node.kind else {
        return;
    };
    for (index, item) in items.iter().enumerate() {
        let step = match by_name(path) {
            true => match item.field("name").and_then(|field| field.node.text()) {
                Some(name) => Step::Item("name".to_owned(), name.to_owned()),
                None => {
                    let problem = Problem::new(
                        path.with(Step::Index(index)).to_string(),
                        "an entry without a name",
                        "its `name`",
                    );
                    problems.push(
                        problem
                            .at(item.place)
                            .hint("entries of this list are merged by their names"),
                    );
                    continue;
                }
            },
            false => Step::Index(index),
        };
        let below = path.with(step);
        places.insert(below.clone(), item.place);
        walk(item, &below, places, problems);
    }
}

/// Whether the list at `path` is merged by the names of its items; any other list is replaced.
pub(crate) fn by_name(path: &Path) -> bool {
    matches!(
        path.keys()[..],
        ["components", "ingressGateways" | "egressGateways"] | ["components", _, "k8s", "env"]
    )
}

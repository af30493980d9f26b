//! The legacy Kyma `Installation` CR: whether it asks for Istio, and for the patch of Istio.

use super::yaml::{self, Kind, Node};
use crate::problem::{Problem, nearest};

/// The entry that installs Istio.
const ISTIO: &str = "istio";
/// The entry that patches the Istio that is there.
const PATCH: &str = "istio-kyma-patch";

/// What an `Installation` asks for. Without `istio` the cluster brings its own; the patch still applies to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installation {
    /// Whether `spec.components` has the entry `istio`.
    pub install: bool,
    /// Whether `spec.components` has the entry `istio-kyma-patch`.
    pub patch: bool,
}

impl Installation {
    /// Reads an `Installation` out of a YAML or JSON text. Documents of other kinds are passed over; two are refused.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let documents = yaml::documents(text).map_err(|problem| vec![problem])?;
        let kind = |node: &&Node| {
            node.field("kind").and_then(|field| field.node.text()) == Some("Installation")
        };
        let mut found = documents.iter().filter(kind);
        let document = match (found.next(), found.next()) {
            (Some(one), None) => one,
            (Some(_), Some(second)) => {
                return Err(vec![
                    Problem::new("", "a second `Installation`", "one").at(second.place),
                ]);
            }
            (None, _) => {
                return Err(vec![Problem::new(
                    "",
                    "no `Installation`",
                    "a document of kind `Installation`",
                )]);
            }
        };
        let mut problems = Vec::new();
        api_version(document, &mut problems);
        let names = components(document, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            install: names.contains(&ISTIO),
            patch: names.contains(&PATCH),
        })
    }
}

fn api_version(document: &Node, problems: &mut Vec<Problem>) {
    let expected = "a version of `installer.kyma-project.io`";
    match document.field("apiVersion") {
        None => problems.push(Problem::new("apiVersion", "nothing", expected).at(document.place)),
        Some(field) => {
            let text = field.node.text().unwrap_or_default();
            if !text.starts_with("installer.kyma-project.io/") {
                problems.push(
                    Problem::new("apiVersion", field.node.describe(), expected)
                        .at(field.node.place),
                );
            }
        }
    }
}

fn components<'n>(document: &'n Node, problems: &mut Vec<Problem>) -> Vec<&'n str> {
    let spec = document.field("spec");
    let field = spec.and_then(|spec| spec.node.field("components"));
    let Some(field) = field else {
        let place = spec.map_or(document.place, |spec| spec.place);
        problems.push(Problem::new("spec.components", "nothing", "a list of components").at(place));
        return Vec::new();
    };
    let Kind::List(entries) = &field.node.kind else {
        let found = field.node.describe();
        problems.push(
            Problem::new("spec.components", found, "a list of components").at(field.node.place),
        );
        return Vec::new();
    };
    let mut names = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("spec.components[{index}]");
        let Some(name) = text(entry, &path, "name", problems) else {
            continue;
        };
        let namespace = text(entry, &path, "namespace", problems);
        if names.contains(&name) {
            problems.push(
                Problem::new(
                    format!("{path}.name"),
                    format!("`{name}` a second time"),
                    "it once",
                )
                .at(entry.place),
            );
        }
        let near = nearest(name, &[ISTIO, PATCH]).filter(|near| *near != name);
        if let Some(near) = near {
            let problem = Problem::new(
                format!("{path}.name"),
                format!("`{name}`"),
                "a component of Kyma",
            )
            .at(entry.place);
            problems.push(problem.hint(format!("did you mean `{near}`?")));
        }
        if [ISTIO, PATCH].contains(&name)
            && namespace.is_some_and(|namespace| namespace != "istio-system")
        {
            let found = format!("`{}`", namespace.unwrap_or_default());
            problems.push(
                Problem::new(format!("{path}.namespace"), found, "`istio-system`").at(entry.place),
            );
        }
        names.push(name);
    }
    names
}

fn text<'n>(
    entry: &'n Node,
    path: &str,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Option<&'n str> {
    let field = entry.field(name);
    let text = field
        .and_then(|field| field.node.text())
        .filter(|text| !text.is_empty());
    if text.is_none() {
        let found = field.map_or("nothing".to_owned(), |field| field.node.describe());
        let place = field.map_or(entry.place, |field| field.node.place);
        problems.push(Problem::new(format!("{path}.{name}"), found, "a name").at(place));
    }
    text
}

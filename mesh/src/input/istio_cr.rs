//! The `Istio` CR (`operator.kyma-project.io/v1alpha2`): read offline, every problem at once with its line.

use std::collections::BTreeMap;

use super::reader::{Reader, place};
use super::rules;
use super::schema::{fields, schema};
use super::spec::Spec;
use super::yaml::{self, Field, Kind, Node};
use crate::problem::{Place, Problem, list, nearest};

/// The API group of the CR.
pub const GROUP: &str = "operator.kyma-project.io";
/// The only version that is served.
pub const API_VERSION: &str = "operator.kyma-project.io/v1alpha2";
/// The kind.
pub const KIND: &str = "Istio";
/// The only namespace that the module accepts.
pub const NAMESPACE: &str = "kyma-system";
/// The name, unless the CR has another.
pub const NAME: &str = "default";

/// An `Istio` CR that was read and found good.
#[derive(Debug, Clone, PartialEq)]
pub struct IstioCr {
    /// `metadata.name`.
    pub name: String,
    /// What is wanted.
    pub spec: Spec,
    places: BTreeMap<String, Place>,
}

/// The CR that says nothing: the profile alone.
impl Default for IstioCr {
    fn default() -> Self {
        Self {
            name: NAME.to_owned(),
            spec: Spec::default(),
            places: BTreeMap::new(),
        }
    }
}

impl IstioCr {
    /// Reads the CR out of a YAML or JSON text. Documents of other kinds are passed over; two CRs are refused.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let documents = yaml::documents(text).map_err(|problem| vec![problem])?;
        let document = pick(&documents).map_err(|problem| vec![problem])?;
        let mut reader = Reader::default();
        api_version(document, &mut reader.problems);
        let name = metadata(document, &mut reader);
        let spec = match document.field("spec") {
            Some(field) => spec(field, &mut reader),
            None => Some(Spec::default()),
        };
        if let Some(spec) = &spec {
            let found = rules::check(spec, &|path| reader.place(path));
            reader.problems.extend(found);
        }
        let Reader {
            mut problems,
            places,
        } = reader;
        match (spec, problems.is_empty()) {
            (Some(spec), true) => Ok(Self { name, spec, places }),
            _ => {
                problems.sort_by_key(|problem| problem.place);
                Err(problems)
            }
        }
    }

    /// Where a value stood (`spec.config.trustDomain`), or else the closest thing around it; line 1 for a CR that was not read.
    #[must_use]
    pub fn place(&self, path: &str) -> Place {
        place(&self.places, path)
    }
}

/// The one `Istio` document of a file.
fn pick(documents: &[Node]) -> Result<&Node, Problem> {
    let kind = |node: &Node| {
        node.field("kind")
            .and_then(|field| field.node.text())
            .unwrap_or_default()
            .to_owned()
    };
    let mut found = documents.iter().filter(|node| kind(node) == KIND);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(second)) => Err(Problem::new("", "a second `Istio` document", "one")
            .at(second.place)
            .hint("the module follows the oldest CR of `kyma-system` only")),
        (None, _) => Err(no_document(documents, kind)),
    }
}

fn no_document(documents: &[Node], kind: impl Fn(&Node) -> String) -> Problem {
    let expected = format!("a document of kind `{KIND}`, apiVersion `{API_VERSION}`");
    match documents {
        [] => Problem::new("", "an empty text", expected),
        [only] if !matches!(only.kind, Kind::Object(_)) => {
            Problem::new("", only.describe(), expected).at(only.place)
        }
        [only] => {
            let found = match only.field("kind") {
                Some(field) => field.node.describe(),
                None => "nothing".to_owned(),
            };
            let problem = Problem::new("kind", found, format!("`{KIND}`"))
                .at(only.field("kind").map_or(only.place, |field| field.place));
            match nearest(&kind(only), &[KIND]) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            }
        }
        many => {
            let kinds: Vec<String> = many.iter().map(kind).collect();
            Problem::new(
                "",
                format!("documents of the kinds {}", list(&kinds)),
                expected,
            )
        }
    }
}

fn api_version(document: &Node, problems: &mut Vec<Problem>) {
    let expected = format!("`{API_VERSION}`");
    let Some(field) = document.field("apiVersion") else {
        problems.push(Problem::new("apiVersion", "nothing", expected).at(document.place));
        return;
    };
    let found = field.node.text().unwrap_or_default();
    if found == API_VERSION {
        return;
    }
    let problem = Problem::new("apiVersion", field.node.describe(), expected).at(field.node.place);
    problems.push(match found.split_once('/') {
        Some((GROUP, "v1alpha1")) => problem.hint(
            "v1alpha1 left the CRD with release 1.10.0 of the module; its fields are the same here",
        ),
        Some((GROUP, _)) => problem,
        _ => problem.hint("an `Istio` of another operator is not read"),
    });
}

fn metadata(document: &Node, reader: &mut Reader) -> String {
    for field in document.fields() {
        if !["apiVersion", "kind", "metadata", "spec", "status"].contains(&field.name.as_str()) {
            let mut problem = Problem::new(
                &field.name,
                "an unknown field",
                "one of `apiVersion`, `kind`, `metadata`, `spec`",
            );
            if schema()["properties"].get(&field.name).is_some() {
                problem = problem.hint(format!("did you mean `spec.{}`?", field.name));
            }
            reader.problems.push(problem.at(field.place));
        }
    }
    let metadata = document.field("metadata");
    let field = |name: &str| metadata.and_then(|metadata| metadata.node.field(name));
    if let Some(metadata) =
        metadata.filter(|metadata| !matches!(metadata.node.kind, Kind::Object(_)))
    {
        let problem = Problem::new("metadata", metadata.node.describe(), "an object");
        reader.problems.push(problem.at(metadata.node.place));
    }
    if let Some(namespace) = field("namespace").filter(|field| field.node.text() != Some(NAMESPACE))
    {
        let problem = Problem::new(
            "metadata.namespace",
            namespace.node.describe(),
            format!("`{NAMESPACE}`"),
        );
        reader.problems.push(
            problem
                .at(namespace.node.place)
                .hint("the module reads its CR in no other namespace"),
        );
    }
    let Some(name) = field("name") else {
        return NAME.to_owned();
    };
    let text = name.node.text().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if text.is_empty() || text.len() > 253 || !text.bytes().all(plain) {
        let problem = Problem::new(
            "metadata.name",
            name.node.describe(),
            "a name of lower-case letters, digits, `-` and `.`",
        );
        reader.problems.push(problem.at(name.node.place));
    }
    text.to_owned()
}

fn spec(field: &Field, reader: &mut Reader) -> Option<Spec> {
    let mut node = field.node.clone();
    if let Kind::Object(fields) = &mut node.kind {
        // `null` is as good as absent, for the module too.
        fields.retain(|field| field.name != "experimental" || field.node.kind != Kind::Null);
        if let Some(index) = fields.iter().position(|field| field.name == "experimental") {
            let experimental = fields.remove(index);
            let problem = Problem::new("spec.experimental", "experimental features", "none");
            let problem = problem.at(experimental.place);
            reader.problems.push(problem.hint("only the `-experimental` flavour of the module takes them; the regular one puts the CR in state Error"));
        }
    }
    let before = reader.problems.len();
    let value = reader.read(&node, schema(), "spec");
    for problem in reader
        .problems
        .iter_mut()
        .skip(before)
        .filter(|problem| problem.found == "an unknown field")
    {
        if let Some(elsewhere) = elsewhere(&problem.path) {
            problem.hint = Some(format!("did you mean `{elsewhere}`?"));
        }
    }
    match serde_json::from_value(value?) {
        Ok(spec) => Some(spec),
        // The schema is made of these very types, so this shows a mistake of ours rather than of the user's.
        Err(error) => {
            reader.problems.push(Problem::new(
                "spec",
                error.to_string(),
                "what the schema lets pass",
            ));
            None
        }
    }
}

/// A known field of the same name in another place, or the field that an old name became.
fn elsewhere(path: &str) -> Option<String> {
    let name = path.rsplit('.').next()?;
    if name == "enableModuleNetworkPolicies" {
        return Some("spec.networkPoliciesEnabled".to_owned());
    }
    let mut found = fields()
        .into_iter()
        .filter(|field| field.rsplit('.').next() == Some(name));
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

//! Kubernetes objects without a type: what `istioctl` prints and what dry-runs answer. Not here: what an object means.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

/// What names an object on a cluster.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub struct Id {
    /// `group/version`, or the version alone for the core group.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// None for objects of the whole cluster.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

/// An object that is known to have `apiVersion`, `kind` and `metadata.name`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct Object(Value);

/// Manifests that can't be read, or can't be applied as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The text is no YAML.
    #[error("the manifests are no YAML: {what}{}", place.map(|(line, column)| format!(" (line {line}, column {column})")).unwrap_or_default())]
    Yaml {
        /// What the reader says, one line.
        what: String,
        /// Line and column, from one.
        place: Option<(u64, u64)>,
    },
    /// A document that is no Kubernetes object.
    #[error("document {number} has no `{field}`, expected a Kubernetes object")]
    NoObject {
        /// Which document, from one.
        number: usize,
        /// The first field that is missing or of another type.
        field: &'static str,
    },
    /// The same object twice.
    #[error("`{0}` stands twice in the manifests")]
    Duplicate(Id),
}

/// Reads manifests as `istioctl` prints them: several documents, empty ones skipped, lists flattened, no object twice.
///
/// # Errors
/// Text that is no YAML, a document that is no object, an object that stands twice.
pub fn read_manifests(yaml: &str) -> Result<Vec<Object>, ManifestError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(yaml, options())
        .map_err(|error| ManifestError::of(&error))?;
    let mut objects = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        flatten(document, index + 1, &mut objects)?;
    }
    let mut seen = BTreeSet::new();
    match objects
        .iter()
        .map(Object::id)
        .find(|id| !seen.insert(id.clone()))
    {
        Some(id) => Err(ManifestError::Duplicate(id)),
        None => Ok(objects),
    }
}

/// Sorts by the phases in which a cluster can take the objects; inside a phase the given order stays.
pub fn apply_order(objects: &mut [Object]) {
    objects.sort_by_key(|object| phase(object.kind(), object.group()));
}

impl Object {
    /// An object, if `value` is one.
    ///
    /// # Errors
    /// Names the first field that is missing.
    pub fn new(value: Value) -> Result<Self, ManifestError> {
        Self::numbered(value, 1)
    }

    /// What names it.
    #[must_use]
    pub fn id(&self) -> Id {
        Id {
            api_version: self.text("/apiVersion").to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// The API group, empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        group_of(self.text("/apiVersion"))
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// `metadata.namespace`, if there is one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.string("/metadata/namespace")
    }

    /// `metadata.uid`: only objects that were read from a cluster have one.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        self.string("/metadata/uid")
    }

    /// `metadata.labels`.
    #[must_use]
    pub fn labels(&self) -> Option<&Map<String, Value>> {
        self.pointer("/metadata/labels").and_then(Value::as_object)
    }

    /// `metadata.annotations`.
    #[must_use]
    pub fn annotations(&self) -> Option<&Map<String, Value>> {
        self.pointer("/metadata/annotations")
            .and_then(Value::as_object)
    }

    /// One label's value.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels()?.get(key)?.as_str()
    }

    /// One annotation's value.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations()?.get(key)?.as_str()
    }

    /// The value at a JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// The string at a JSON pointer.
    #[must_use]
    pub fn string(&self, pointer: &str) -> Option<&str> {
        self.pointer(pointer).and_then(Value::as_str)
    }

    /// The whole value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The whole value, owned.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.0
    }

    fn text(&self, pointer: &str) -> &str {
        self.string(pointer).unwrap_or_default()
    }

    fn numbered(value: Value, number: usize) -> Result<Self, ManifestError> {
        const REQUIRED: [(&str, &str); 3] = [
            ("/apiVersion", "apiVersion"),
            ("/kind", "kind"),
            ("/metadata/name", "metadata.name"),
        ];
        let is_there = |pointer| {
            value
                .pointer(pointer)
                .and_then(Value::as_str)
                .is_some_and(|text| !text.is_empty())
        };
        match REQUIRED.iter().find(|(pointer, _)| !is_there(pointer)) {
            Some((_, field)) => Err(ManifestError::NoObject { number, field }),
            None => Ok(Self(value)),
        }
    }
}

impl Id {
    /// The API group, empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        group_of(&self.api_version)
    }

    /// True when both name one object of the cluster: versions of a group are views of the same object.
    #[must_use]
    pub fn is_same_object(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

impl ManifestError {
    fn of(error: &serde_saphyr::Error) -> Self {
        let text = error.to_string();
        Self::Yaml {
            what: text
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned(),
            place: error.location().map(|at| (at.line(), at.column())),
        }
    }
}

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn flatten(document: Value, number: usize, objects: &mut Vec<Object>) -> Result<(), ManifestError> {
    if document.is_null() || document.as_object().is_some_and(Map::is_empty) {
        return Ok(());
    }
    let is_list = document
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    match document {
        Value::Object(mut list) if is_list && list.contains_key("items") => {
            let items = list.remove("items").unwrap_or_default();
            let Value::Array(items) = items else {
                return Err(ManifestError::NoObject {
                    number,
                    field: "items",
                });
            };
            items
                .into_iter()
                .try_for_each(|item| flatten(item, number, objects))
        }
        other => {
            objects.push(Object::numbered(other, number)?);
            Ok(())
        }
    }
}

/// Where a kind stands among the phases: what others need comes first, what needs a running istiod comes last.
fn phase(kind: &str, group: &str) -> u8 {
    match kind {
        "Namespace" => 0,
        "CustomResourceDefinition" => 1,
        "PriorityClass" | "ServiceAccount" | "Role" | "RoleBinding" | "ClusterRole"
        | "ClusterRoleBinding" => 2,
        "ConfigMap" | "Secret" | "ResourceQuota" => 3,
        "ValidatingWebhookConfiguration"
        | "MutatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding" => 4,
        "Service" => 5,
        "Deployment" | "DaemonSet" | "StatefulSet" => 6,
        "HorizontalPodAutoscaler" | "PodDisruptionBudget" | "NetworkPolicy" => 7,
        _ if group.is_empty() || !group.contains('.') || group.ends_with(".k8s.io") => 7,
        _ => 8,
    }
}

/// Istio's CRDs alone are a megabyte of YAML: the reader's usual limits, doubled. No snippet: Secrets may stand there.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: 128, max_nodes: 500_000, max_events: 2_000_000 },
        with_snippet: false,
    }
}

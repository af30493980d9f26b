//! The language as others read it: the JSON Schema of a policy, and the tables of its reference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::client::Anomaly;
use crate::spec::kind::Written as _;
use crate::spec::{Action, DocumentFields};

/// How a kind of value is described.
pub(crate) struct Described {
    schema: Value,
    /// What stands in the reference's column of types.
    words: String,
    /// The object that may stand there, or in the list that does.
    object: Option<&'static str>,
    /// The list of names that it is one of, or that the list's items are.
    names: Option<&'static str>,
    is_list: bool,
}

impl Described {
    pub fn new(schema: Value, words: impl Into<String>) -> Self {
        Self {
            schema,
            words: words.into(),
            object: None,
            names: None,
            is_list: false,
        }
    }

    /// A list of it with at least so many items.
    pub fn listed(self, least: u32) -> Self {
        let mut schema = json!({"type": "array", "items": self.schema});
        if least > 0 {
            set(&mut schema, "minItems", least.into());
        }
        // Names are in backticks, which have no plural.
        let plural = if self.words.ends_with('`') { "" } else { "s" };
        let filled = if least > 0 { ", not empty" } else { "" };
        Self {
            schema,
            words: format!("list of {}{plural}{filled}", self.words),
            is_list: true,
            ..self
        }
    }

    /// Either of two kinds.
    pub fn or(self, other: Self) -> Self {
        Self {
            schema: json!({"anyOf": [self.schema, other.schema]}),
            words: format!("{}, or {}", self.words, other.words),
            object: self.object.or(other.object),
            names: self.names.or(other.names),
            is_list: false,
        }
    }

    /// The same under a name of its own in the schema.
    pub fn named(self, definitions: &mut Definitions, kind: &'static str, about: &str) -> Self {
        definitions.named(kind, about, self.schema, self.words)
    }
}

/// A field of an object.
pub(crate) struct Field {
    pub name: &'static str,
    pub about: String,
    pub is_required: bool,
    pub kind: Described,
    pub default: Option<Value>,
}

impl Field {
    fn schema(&self) -> Value {
        // Draft 2020-12 allows other keywords beside a reference.
        let mut schema = self.kind.schema.clone();
        set(&mut schema, "description", self.about.as_str().into());
        if let Some(default) = &self.default {
            set(&mut schema, "default", default.clone());
        }
        schema
    }

    /// Its type, and whether it must be there or what it is when it is not.
    fn words(&self) -> String {
        let words = &self.kind.words;
        let Some(default) = &self.default else {
            let due = if self.is_required { "; required" } else { "" };
            return format!("{words}{due}");
        };
        let default = match default {
            Value::String(text) if text.is_empty() => "empty".to_owned(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        if words.split(", ").any(|word| word == default) {
            return words.replacen(&default, &format!("{default} (default)"), 1);
        }
        format!("{words}; default {default}")
    }
}

/// What holds for fields of an object together.
pub(crate) struct Together<'n> {
    /// At least one of them must be there.
    pub any: &'n [&'static str],
    /// Exactly one of them must be there.
    pub one: &'n [&'static str],
    /// Further keywords of the schema.
    pub rest: Vec<(&'static str, Value)>,
}

impl Together<'_> {
    fn words(&self) -> String {
        let [any, one] = [self.any, self.one].map(crate::spec::read::list);
        match (any.is_empty(), one.is_empty()) {
            (false, _) => format!("; with at least one of {any}"),
            (_, false) => format!("; with one of {one}"),
            _ => String::new(),
        }
    }
}

struct Object {
    fields: Vec<Field>,
    /// What holds for the fields together, in words.
    together: String,
}

/// What has a name of its own in the schema, and in the reference.
#[derive(Default)]
pub(crate) struct Definitions {
    schemas: BTreeMap<&'static str, Value>,
    objects: BTreeMap<&'static str, Object>,
    /// Lists of names, each with what it means.
    names: BTreeMap<&'static str, Vec<(&'static str, String)>>,
}

impl Definitions {
    /// An object and its fields.
    pub fn object(
        &mut self,
        name: &'static str,
        about: &[&str],
        fields: impl FnOnce(&mut Self) -> Vec<Field>,
        together: Together<'_>,
    ) -> Described {
        if !self.objects.contains_key(name) {
            let fields = fields(self);
            let mut schema = json!({
                "type": "object",
                "description": prose(about),
                "additionalProperties": false,
            });
            let properties = fields
                .iter()
                .map(|field| (field.name.to_owned(), field.schema()));
            set(
                &mut schema,
                "properties",
                properties.collect::<Map<_, _>>().into(),
            );
            let required = fields.iter().filter(|field| field.is_required);
            let required: Vec<&str> = required.map(|field| field.name).collect();
            if !required.is_empty() {
                set(&mut schema, "required", required.into());
            }
            for (keyword, names) in [("anyOf", together.any), ("oneOf", together.one)] {
                if !names.is_empty() {
                    let there = names.iter().map(|name| json!({"required": [name]}));
                    set(&mut schema, keyword, there.collect());
                }
            }
            let object = Object {
                fields,
                together: together.words(),
            };
            for (keyword, value) in together.rest {
                set(&mut schema, keyword, value);
            }
            self.schemas.insert(name, schema);
            self.objects.insert(name, object);
        }
        Described {
            object: Some(name),
            ..Described::new(reference(name), "object")
        }
    }

    /// A closed list of names.
    pub fn names(
        &mut self,
        kind: &'static str,
        about: &[&str],
        names: &[(&'static str, &[&str])],
    ) -> Described {
        let told = names.iter().map(|(name, about)| (*name, prose(about)));
        let told: Vec<(&str, String)> = told.collect();
        let one_of = told
            .iter()
            .map(|(name, about)| json!({"const": name, "description": about}));
        let one_of: Vec<Value> = one_of.collect();
        let known: Vec<&str> = told.iter().map(|(name, _)| *name).collect();
        self.names.insert(kind, told);
        let schema = json!({"type": "string", "oneOf": one_of});
        Described {
            names: Some(kind),
            ..self.named(kind, &prose(about), schema, crate::spec::read::list(&known))
        }
    }

    /// Anything else that has a name.
    pub fn named(
        &mut self,
        kind: &'static str,
        about: &str,
        mut schema: Value,
        words: impl Into<String>,
    ) -> Described {
        set(&mut schema, "description", about.into());
        self.schemas.insert(kind, schema);
        Described::new(reference(kind), words)
    }

    /// The fields of an object, each with its path; those of objects without a chapter of their own stand under the field that holds them.
    fn fields<'d>(
        &'d self,
        object: &'d Object,
        prefix: &str,
        found: &mut Vec<(String, &'d Field)>,
    ) {
        for field in &object.fields {
            let path = format!("{prefix}{}", field.name);
            let list = if field.kind.is_list { "[]" } else { "" };
            let below = format!("{path}{list}.");
            found.push((path, field));
            if let Some(object) = self.inner(field) {
                self.fields(object, &below, found);
            }
        }
    }

    /// The object of a field, when it has no chapter of its own.
    fn inner(&self, field: &Field) -> Option<&Object> {
        let name = field.kind.object.filter(|name| !CHAPTERS.contains(name))?;
        self.objects.get(name)
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn set(schema: &mut Value, keyword: &str, value: Value) {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(keyword.to_owned(), value);
    }
}

/// The lines of a comment as one text.
pub(crate) fn prose(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// The JSON Schema (draft 2020-12) of a HeaderPolicy document.
///
/// What fields mean together, and what texts mean beyond their pattern, is the reader's to say.
pub fn schema() -> Value {
    let mut definitions = Definitions::default();
    DocumentFields::describe(&mut definitions);
    let named = definitions.schemas.into_iter();
    let named = named.map(|(name, schema)| (name.to_owned(), schema));
    let mut named: Map<String, Value> = named.collect();
    let mut schema = named.remove(crate::KIND).unwrap_or_default();
    set(
        &mut schema,
        "$schema",
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    set(&mut schema, "title", crate::KIND.into());
    set(&mut schema, "$defs", named.into());
    schema
}

/// Objects that have a table of their own in the reference, in its order.
const CHAPTERS: [&str; 7] = [
    "Spec",
    "Replies",
    "Forwarded",
    "Anomalies",
    "Jwt",
    "Provider",
    "Rule",
];

/// A table in Markdown.
struct Table(String);

impl Table {
    fn new<const COLUMNS: usize>(heads: [&str; COLUMNS]) -> Self {
        let mut table = Self(String::new());
        table.row(heads);
        table.0.push_str(&"|---".repeat(COLUMNS));
        table.0.push_str("|\n");
        table
    }

    fn row<const COLUMNS: usize>(&mut self, cells: [&str; COLUMNS]) {
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        // Writing into a text can't fail.
        let _ = writeln!(self.0, "| {} |", cells.join(" | "));
    }
}

/// The tables of docs/header-policy.md in Markdown, by the names of what they describe: the fields of an object, `… values` for the names that such fields take, unless they stand in a table before.
pub fn reference_tables() -> BTreeMap<String, String> {
    let mut definitions = Definitions::default();
    DocumentFields::describe(&mut definitions);
    let mut tables = BTreeMap::new();
    let mut told = BTreeSet::from(["Action"]);
    for name in CHAPTERS {
        let mut fields = Vec::new();
        if let Some(object) = definitions.objects.get(name) {
            definitions.fields(object, "", &mut fields);
        }
        let mut table = Table::new(["field", "type", "meaning"]);
        let mut values = Table::new(["field", "value", "meaning"]);
        let mut has_values = false;
        for (path, field) in fields {
            let path = format!("`{path}`");
            let together = match field.kind.object {
                Some(name) if CHAPTERS.contains(&name) => "; below",
                _ => definitions
                    .inner(field)
                    .map_or("", |object| &object.together),
            };
            table.row([&path, &format!("{}{together}", field.words()), &field.about]);
            let Some(kind) = field.kind.names.filter(|kind| told.insert(*kind)) else {
                continue;
            };
            for (name, about) in definitions.names.get(kind).into_iter().flatten() {
                values.row([&path, &format!("`{name}`"), about]);
                has_values = true;
            }
        }
        tables.insert(name.to_owned(), table.0);
        if has_values {
            tables.insert(format!("{name} values"), values.0);
        }
    }
    tables.insert("Anomalies".to_owned(), anomalies().0);
    let mut actions = Table::new(["action", "meaning"]);
    for (name, about) in definitions.names.get("Action").into_iter().flatten() {
        actions.row([&format!("`{name}`"), about]);
    }
    tables.insert("Action".to_owned(), actions.0);
    tables
}

fn anomalies() -> Table {
    let mut table = Table::new(["anomaly", "when", "default", "status", "reason"]);
    for anomaly in Anomaly::ALL {
        let reason = anomaly.reason();
        let action = Action::written(&anomaly.default_action());
        table.row([
            &format!("`{}`", anomaly.name()),
            anomaly.when(),
            &format!("`{}`", action.as_str().unwrap_or_default()),
            &reason.status().to_string(),
            &format!("`{reason}`"),
        ]);
    }
    table
}

//! A value that is laid down in layers and remembers, for each leaf, which layer set it last.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Origin, Source};
use crate::input::by_name;
use crate::input::path::{Path, Step};
use crate::input::set::Set;
use crate::problem::{Problem, list};

/// The spec of an `IstioOperator` under construction.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    spec: Value,
    sources: BTreeMap<Path, Source>,
}

impl Tree {
    /// Lays a spec over what is there: objects are merged, gateways and environment variables by their names, anything else replaced.
    pub fn lay(&mut self, over: &Value, source: &dyn Fn(&Path) -> Source) {
        merge(
            &mut self.spec,
            over,
            &Path::root(),
            &mut Notes {
                sources: &mut self.sources,
                source,
            },
        );
    }

    /// Lays one value at a path.
    pub fn put(&mut self, path: &str, value: Value, source: &Source) {
        let nested = nest(path, value);
        self.lay(&nested, &|_| source.clone());
    }

    /// Takes a value away, with everything below.
    pub fn remove(&mut self, path: &str) {
        let Ok(path) = Path::parse(path) else {
            return;
        };
        if let Some((Step::Key(last), above)) = path.steps().split_last() {
            let parent = above
                .iter()
                .try_fold(&mut self.spec, |value, step| child_mut(value, step));
            if let Some(Value::Object(fields)) = parent {
                fields.remove(last);
            }
        }
        self.sources.retain(|noted, _| !noted.is_within(&path));
    }

    /// Appends to a list whose items have names.
    pub fn append(&mut self, path: &str, item: Value, source: &Source) {
        let Some(Value::Array(items)) = self.at_mut(path) else {
            return self.put(path, json!([item]), source);
        };
        items.push(item.clone());
        if let (Ok(path), Some(name)) = (Path::parse(path), item["name"].as_str()) {
            let below = path.with(Step::Item("name".to_owned(), name.to_owned()));
            note_leaves(
                &item,
                &below,
                &mut Notes {
                    sources: &mut self.sources,
                    source: &|_| source.clone(),
                },
            );
        }
    }

    /// Does what a `--set` says.
    pub fn set(&mut self, set: &Set, source: &Source) -> Result<(), Problem> {
        let mut place = &mut self.spec;
        let mut noted = Path::root();
        let mut listed = false;
        let mut steps = set.path.steps().iter().peekable();
        while let Some(step) = steps.next() {
            let next_is_list = matches!(steps.peek(), Some(Step::Index(_) | Step::Item(..)));
            let named = by_name(&noted);
            let (below, step) =
                enter(place, step, next_is_list, named).map_err(|(found, expected)| {
                    Problem::new(format!("--set {}", set.path), found, expected)
                })?;
            place = below;
            // A list without names is one leaf.
            listed |= !named && !matches!(step, Step::Key(_));
            if !listed {
                noted = noted.with(step);
            }
        }
        *place = set.value.clone();
        self.sources.retain(|path, _| !path.is_within(&noted));
        self.sources.insert(noted, source.clone());
        Ok(())
    }

    /// The value at a path.
    pub fn at(&self, path: &str) -> Option<&Value> {
        let path = Path::parse(path).ok()?;
        path.steps().iter().try_fold(&self.spec, child)
    }

    /// Who set the leaf at a path.
    pub fn source(&self, path: &str) -> Option<&Source> {
        self.sources.get(&Path::parse(path).ok()?)
    }

    /// Every leaf and who set it last.
    pub fn origins(&self) -> Vec<Origin> {
        let origin = |(path, source): (&Path, &Source)| {
            let value = path.steps().iter().try_fold(&self.spec, child)?;
            Some(Origin {
                path: path.clone(),
                value: value.clone(),
                source: source.clone(),
            })
        };
        self.sources.iter().filter_map(origin).collect()
    }

    /// The spec.
    pub fn into_spec(self) -> Value {
        self.spec
    }

    fn at_mut(&mut self, path: &str) -> Option<&mut Value> {
        let path = Path::parse(path).ok()?;
        path.steps().iter().try_fold(&mut self.spec, child_mut)
    }
}

/// Where it is noted who sets what.
struct Notes<'n> {
    sources: &'n mut BTreeMap<Path, Source>,
    source: &'n dyn Fn(&Path) -> Source,
}

fn merge(base: &mut Value, over: &Value, path: &Path, notes: &mut Notes<'_>) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                let below = path.key(name);
                match base.get_mut(name) {
                    Some(base) => merge(base, value, &below, notes),
                    None => {
                        base.insert(name.clone(), value.clone());
                        note_leaves(value, &below, notes);
                    }
                }
            }
        }
        (Value::Array(base), Value::Array(over)) if by_name(path) => {
            for item in over {
                let below = path.with(Step::Item(
                    "name".to_owned(),
                    item["name"].as_str().unwrap_or_default().to_owned(),
                ));
                match base.iter_mut().find(|base| base["name"] == item["name"]) {
                    Some(base) => merge(base, item, &below, notes),
                    None => {
                        base.push(item.clone());
                        note_leaves(item, &below, notes);
                    }
                }
            }
        }
        (base, over) => {
            *base = over.clone();
            notes.sources.retain(|noted, _| !noted.is_within(path));
            note_leaves(over, path, notes);
        }
    }
}

fn note_leaves(value: &Value, path: &Path, notes: &mut Notes<'_>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                note_leaves(value, &path.key(name), notes);
            }
        }
        Value::Array(items)
            if by_name(path) || path.keys() == ["meshConfig", "extensionProviders"] =>
        {
            for item in items {
                let name = item["name"].as_str().unwrap_or_default().to_owned();
                note_leaves(item, &path.with(Step::Item("name".to_owned(), name)), notes);
            }
        }
        _ => {
            let source = (notes.source)(path);
            notes.sources.insert(path.clone(), source);
        }
    }
}

/// A value inside of objects (and lists of one named item) as a path says; the path is ours.
pub(crate) fn nest(path: &str, value: Value) -> Value {
    let Ok(path) = Path::parse(path) else {
        return Value::Object(Map::new());
    };
    path.steps()
        .iter()
        .rev()
        .fold(value, |value, step| match (step, value) {
            (Step::Key(name), value) => json!({ name.as_str(): value }),
            (Step::Item(field, name), Value::Object(mut item)) => {
                item.insert(field.clone(), json!(name));
                json!([item])
            }
            (_, value) => json!([value]),
        })
}

fn child<'v>(value: &'v Value, step: &Step) -> Option<&'v Value> {
    match step {
        Step::Key(name) => value.get(name),
        Step::Index(number) => value.get(number),
        Step::Item(field, name) => value.as_array()?.iter().find(|item| item[field] == *name),
    }
}

fn child_mut<'v>(value: &'v mut Value, step: &Step) -> Option<&'v mut Value> {
    match step {
        Step::Key(name) => value.get_mut(name),
        Step::Index(number) => value.get_mut(number),
        Step::Item(field, name) => value
            .as_array_mut()?
            .iter_mut()
            .find(|item| item[field] == *name),
    }
}

/// Goes one step down, making what is missing; says what was found and expected where that can't be. An index into a list with names
/// becomes the name.
fn enter<'v>(
    value: &'v mut Value,
    step: &Step,
    next_is_list: bool,
    named: bool,
) -> Result<(&'v mut Value, Step), (String, String)> {
    match (step, value) {
        (Step::Key(name), Value::Object(fields)) => {
            let fresh = if next_is_list { json!([]) } else { json!({}) };
            Ok((fields.entry(name.clone()).or_insert(fresh), step.clone()))
        }
        (Step::Index(number), Value::Array(items)) => {
            let length = items.len();
            if *number == length && !named {
                items.push(json!({}));
            }
            let missing = (
                format!("item {number} of a list of {length}"),
                "an item that is there, or the next one".to_owned(),
            );
            let item = items.get_mut(*number).ok_or(missing)?;
            let step = match item["name"].as_str().filter(|_| named) {
                Some(name) => Step::Item("name".to_owned(), name.to_owned()),
                None => step.clone(),
            };
            Ok((item, step))
        }
        (Step::Item(field, name), Value::Array(items)) => {
            let index = match items.iter().position(|item| item[field] == *name) {
                Some(index) => index,
                None if named && field == "name" => {
                    items.push(json!({ "name": name }));
                    items.len() - 1
                }
                None => {
                    let names: Vec<&str> = items
                        .iter()
                        .filter_map(|item| item[field].as_str())
                        .collect();
                    return Err((
                        format!("no item with {field} `{name}`"),
                        format!("one of {}", list(&names)),
                    ));
                }
            };
            let missing = || ("nothing".to_owned(), "an item".to_owned());
            Ok((items.get_mut(index).ok_or_else(missing)?, step.clone()))
        }
        (Step::Key(name), _) => Err((
            format!("a value that has no field `{name}`"),
            "an object".to_owned(),
        )),
        (_, _) => Err(("a value that is no list".to_owned(), "a list".to_owned())),
    }
}

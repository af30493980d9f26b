//! What the user gives: files of three kinds, `--set`, a tag. Read offline, every problem at once.

use std::io::BufRead;
use std::path::Path;

use mesh::input::installation::{self, Installation};
use mesh::input::istio_cr;
use mesh::input::overlay::{self, Overlay};
use mesh::input::set::Set;
use mesh::input::{IstioCr, yaml};
use mesh::object::Object;
use mesh::problem::Problem;
use mesh::versions::{Minor, Version, versions};
use serde_json::{Value, json};

use super::input;
use crate::cli;
use crate::error::Error;

/// What was given, and found good.
pub struct Given {
    /// The Istio custom resource.
    pub resource: Option<Resource>,
    /// IstioOperators, in the order of the command line.
    pub overlays: Vec<Overlay>,
    /// The legacy Installation.
    pub installation: Option<Installation>,
    /// Every `--set`.
    pub sets: Vec<Set>,
    /// The Istio version that the tag says, or the default.
    pub version: Version,
}

/// An Istio custom resource as values, and as the cluster takes it.
pub struct Resource {
    pub cr: IstioCr,
    pub object: Object,
}

/// Reads everything.
pub fn read(flags: &cli::Inputs, stdin: &mut dyn BufRead) -> Result<Given, Error> {
    let mut given = Given {
        resource: None,
        overlays: Vec::new(),
        installation: None,
        sets: Vec::new(),
        version: version(flags)?,
    };
    let mut problems = Vec::new();
    for file in &flags.files {
        let (name, text) = (input::name(file), input::text(file, stdin)?);
        if let Err(found) = given.file(file, &text) {
            problems.extend(found.iter().map(|problem| line(&name, problem)));
        }
    }
    for text in &flags.sets {
        match Set::parse(text) {
            Ok(set) => given.sets.push(set),
            Err(problem) => problems.push(line("", &problem)),
        }
    }
    match problems.is_empty() {
        true => Ok(given),
        false => Err(invalid(problems)),
    }
}

/// Problems of an input, as an error.
pub fn invalid(problems: Vec<String>) -> Error {
    Error::Problems {
        what: "found invalid input".to_owned(),
        problems,
    }
}

/// A problem in one line, its hint in the next.
pub fn line(file: &str, problem: &Problem) -> String {
    let place = match (file, problem.place) {
        ("", _) => String::new(),
        (file, Some(_)) => format!("{file}:"),
        (file, None) => format!("{file}: "),
    };
    let hint = problem
        .hint
        .as_ref()
        .map(|hint| format!("\n  hint: {hint}"))
        .unwrap_or_default();
    format!("{place}{problem}{hint}")
}

/// An Istio custom resource of a text, as both.
pub fn resource(text: &str) -> Result<Resource, Vec<Problem>> {
    let cr = IstioCr::read(text)?;
    let documents = yaml::documents(text).map_err(|problem| vec![problem])?;
    let document = documents.iter().find(|node| kind(node) == istio_cr::KIND);
    let mut value = document.map(yaml::Node::to_json).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        let metadata = object.entry("metadata").or_insert_with(|| json!({}));
        metadata["name"] = json!(cr.name);
        metadata["namespace"] = json!(istio_cr::NAMESPACE);
        // What a cluster wrote is no wish.
        object.remove("status");
    }
    let object = Object::new(value).map_err(|error| {
        vec![Problem::new(
            "",
            error.to_string(),
            "an Istio custom resource",
        )]
    })?;
    Ok(Resource { cr, object })
}

impl Given {
    fn file(&mut self, file: &Path, text: &str) -> Result<(), Vec<Problem>> {
        let documents = yaml::documents(text).map_err(|problem| vec![problem])?;
        let has = |wanted: &str| documents.iter().any(|node| kind(node) == wanted);
        let mut is_known = false;
        if has("Installation") {
            is_known = true;
            once(
                &mut self.installation,
                Installation::read(text)?,
                "Installation",
            )?;
        }
        if has(overlay::KIND) {
            is_known = true;
            self.overlays.push(Overlay::read(input::name(file), text)?);
        }
        // A text without a kind that is known was meant as a custom resource most likely: its reader says what is wrong.
        if has(istio_cr::KIND) || !is_known {
            once(&mut self.resource, resource(text)?, istio_cr::KIND)?;
        }
        Ok(())
    }

    /// What the Installation says about installing; without one, everything is wanted.
    pub fn wishes(&self) -> installation::Installation {
        self.installation.unwrap_or(Installation {
            install: true,
            patch: true,
        })
    }
}

fn once<T>(place: &mut Option<T>, value: T, kind: &str) -> Result<(), Vec<Problem>> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(vec![Problem::new(
            "",
            format!("a second `{kind}` on the command line"),
            "one",
        )]),
    }
}

fn kind(node: &yaml::Node) -> &str {
    node.field("kind")
        .and_then(|field| field.node.text())
        .unwrap_or_default()
}

/// A custom resource of the cluster without what the cluster wrote into it.
pub fn of_cluster(live: &Object) -> Result<Resource, Error> {
    let text = json!({
        "apiVersion": live.value()["apiVersion"],
        "kind": live.kind(),
        "metadata": { "name": live.name(), "namespace": live.namespace() },
        "spec": live.pointer("/spec").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new())),
    })
    .to_string();
    resource(&text).map_err(|problems| {
        let name = format!("the cluster's `{}`", live.id());
        invalid(
            problems
                .iter()
                .map(|problem| {
                    // The line of a text that nobody wrote says nothing.
                    let problem = Problem {
                        place: None,
                        ..problem.clone()
                    };
                    line(&name, &problem)
                })
                .collect(),
        )
    })
}

/// A tag that says no version is the user's own build: it is rendered as the default version.
fn version(flags: &cli::Inputs) -> Result<Version, Error> {
    let istio = &versions().istio;
    let of_tag = || flags.tag.as_deref().and_then(|tag| tag.parse().ok());
    let told: Option<Version> = flags.istio_version.or_else(of_tag);
    let version = told.unwrap_or(istio.default);
    if istio.renders(version.minor()) {
        return Ok(version);
    }
    let list = |minors: &[Minor], word: &str| {
        let minors: Vec<String> = minors.iter().map(Minor::to_string).collect();
        minors.join(word)
    };
    Err(Error::input_hint(
        format!(
            "found Istio {version}, expected one of {}",
            list(&istio.rendered, ", ")
        ),
        format!(
            "this plugin installs {} unless told otherwise, and supports {}",
            istio.default,
            list(&istio.supported, " and ")
        ),
    ))
}

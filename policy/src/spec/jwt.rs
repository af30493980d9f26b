//! `spec.jwt`, as written.

use crate::spec::read::{Fields, Node, Path, Read, choice};
use crate::spec::sorted;
use crate::spec::{ConfigError, Problems, Provider, Rule};

pub(crate) struct Jwt {
    pub providers: Vec<Provider>,
    pub rules: Vec<Rule>,
    pub otherwise: Access,
    pub ambiguous_path: AmbiguousPath,
    pub preflight: Preflight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Require,
    Optional,
    Open,
    Deny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AmbiguousPath {
    Reject,
    Allow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preflight {
    Pass,
    Judge,
}

impl Read for Jwt {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let providers: Option<Vec<Provider>> = fields.required("providers");
        if providers.as_ref().is_some_and(Vec::is_empty) {
            fields.problem("providers", "an empty list", "at least one provider");
        }
        let rules = fields.optional("rules").unwrap_or_default();
        if !fields.has("otherwise") {
            fields.absent(
                &["otherwise"],
                "nothing",
                "`Require`, `Optional`, `Open` or `Deny`, for requests that no rule matches",
                Some("there is no default, so that nobody is let in by an omission"),
            );
        }
        let otherwise = fields.optional("otherwise");
        let ambiguous_path = fields
            .with("ambiguousPath", |node| {
                choice(
                    node,
                    &[
                        ("Reject", AmbiguousPath::Reject),
                        ("Allow", AmbiguousPath::Allow),
                    ],
                )
            })
            .unwrap_or(AmbiguousPath::Reject);
        let preflight = fields
            .with("preflight", |node| {
                choice(
                    node,
                    &[("Pass", Preflight::Pass), ("Judge", Preflight::Judge)],
                )
            })
            .unwrap_or(Preflight::Pass);
        fields.finish();
        Some(Self {
            providers: providers?,
            rules,
            otherwise: otherwise?,
            ambiguous_path,
            preflight,
        })
    }
}

impl Read for Access {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        choice(
            node,
            &[
                ("Require", Self::Require),
                ("Optional", Self::Optional),
                ("Open", Self::Open),
                ("Deny", Self::Deny),
            ],
        )
    }
}

/// A text that is not empty.
pub(super) struct Name(pub String);

impl Read for Name {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        named(node).map(Self)
    }
}

pub(super) fn names(names: Vec<Name>) -> Vec<String> {
    names.into_iter().map(|name| name.0).collect()
}

pub(super) fn named(node: Node<'_, '_>) -> Option<String> {
    match node.text().filter(|text| !text.is_empty()) {
        Some(text) => Some(text),
        None => node.refuse("a text that is not empty"),
    }
}

/// As many providers, or places for tokens, as there are bits in a set of them.
const MOST: usize = 64;

/// Checks what the fields mean together.
pub(crate) fn check(jwt: &Jwt, path: Path<'_>, problems: &mut Problems) {
    let providers = Path::Field(&path, "providers");
    let places = jwt
        .providers
        .iter()
        .flat_map(|provider| &provider.locations);
    let mut places = sorted(places.collect());
    places.dedup();
    for (field, count) in [
        (providers, jwt.providers.len()),
        (Path::Field(&path, "providers[*].from…"), places.len()),
    ] {
        if count > MOST {
            problems.push(ConfigError::new(
                field,
                format!("{count} of them"),
                format!("at most {MOST}"),
            ));
        }
    }
    let names = jwt.providers.iter().map(|provider| provider.name.as_str());
    for (index, name) in again(names.clone().map(Some)) {
        let here = Path::Item(&providers, index);
        name_again(Path::Field(&here, "name"), name, problems);
    }
    let issuers = jwt
        .providers
        .iter()
        .map(|provider| provider.issuer.as_str());
    for (index, issuer) in again(issuers.map(Some)) {
        let here = Path::Item(&providers, index);
        problems.push(
            ConfigError::new(Path::Field(&here, "issuer"), format!("`{issuer}` again"), "an issuer of its own")
                .hint("a token is judged by the one provider of its issuer: put all audiences and keys there"),
        );
    }
    let known = sorted(names.collect());
    let rules = Path::Field(&path, "rules");
    for (index, name) in again(jwt.rules.iter().map(|rule| rule.name.as_deref())) {
        let here = Path::Item(&rules, index);
        name_again(Path::Field(&here, "name"), name, problems);
    }
    let mut catches_all = None;
    for (index, rule) in jwt.rules.iter().enumerate() {
        let here = Path::Item(&rules, index);
        if let Some(before) = catches_all {
            if !problems.passes_over() {
                let found = format!("a rule behind `rules[{before}]`, which matches everything");
                problems.push(ConfigError::new(here, found, "a rule that can decide"));
            }
        } else if rule.whole
            && rule.hosts.is_empty()
            && rule.paths.is_empty()
            && rule.methods.is_empty()
        {
            catches_all = Some(index);
        }
        let list = Path::Field(&here, "providers");
        for (index, name) in rule.providers.iter().enumerate() {
            if known.binary_search(&name.as_str()).is_err() && !problems.passes_over() {
                problems.push(ConfigError::new(
                    Path::Item(&list, index),
                    format!("`{name}`, which is no provider"),
                    "the name of a provider",
                ));
            }
        }
    }
}

fn name_again(path: Path<'_>, name: &str, problems: &mut Problems) {
    if !problems.passes_over() {
        let found = format!("`{name}` again");
        problems.push(ConfigError::new(path, found, "a name of its own"));
    }
}

/// The names that stood before, each with its place, in the order of the places.
fn again<'n>(names: impl Iterator<Item = Option<&'n str>>) -> Vec<(usize, &'n str)> {
    let named = names.zip(0_usize..);
    let named = named.filter_map(|(name, index)| Some((name?, index)));
    let named = sorted(named.collect());
    let again = named.windows(2).filter_map(|pair| match pair {
        [(left, _), (right, index)] if left == right => Some((*index, *right)),
        _ => None,
    });
    sorted(again.collect())
}

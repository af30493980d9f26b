//! `spec.jwt`, as written.

use crate::spec::read::{Fields, Node, Read, choice};
use crate::spec::sorted;
use crate::spec::{Provider, Rule};

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
        let otherwise = if fields.has("otherwise") {
            fields.optional("otherwise")
        } else {
            fields
                .problem(
                    "otherwise",
                    "nothing",
                    "`Require`, `Optional`, `Open` or `Deny`, for requests that no rule matches",
                )
                .hint =
                Some("there is no default, so that nobody is let in by an omission".to_owned());
            None
        };
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

/// Checks what the fields mean together.
pub(crate) fn check(
    jwt: &Jwt,
    path: crate::spec::read::Path<'_>,
    problems: &mut Vec<crate::ConfigError>,
) {
    use crate::ConfigError as Error;
    use crate::spec::read::Path;
    let providers = Path::Field(&path, "providers");
    for (index, provider) in jwt.providers.iter().enumerate() {
        let here = Path::Item(&providers, index);
        let before = jwt.providers.iter().take(index);
        if before.clone().any(|other| other.name == provider.name) {
            problems.push(Error::new(
                Path::Field(&here, "name"),
                format!("`{}` again", provider.name),
                "a name of its own",
            ));
        }
        if before.clone().any(|other| other.issuer == provider.issuer) {
            problems.push(
                Error::new(Path::Field(&here, "issuer"), format!("`{}` again", provider.issuer), "an issuer of its own")
                    .hint("a token is judged by the one provider of its issuer: put all audiences and keys there"),
            );
        }
    }
    let rules = Path::Field(&path, "rules");
    let named = jwt.rules.iter().enumerate();
    let named = sorted(
        named
            .filter_map(|(index, rule)| Some((rule.name.as_deref()?, index)))
            .collect(),
    );
    let again: Vec<usize> = named
        .windows(2)
        .filter_map(|pair| match pair {
            [(left, _), (right, index)] if left == right => Some(*index),
            _ => None,
        })
        .collect();
    let mut catches_all = None;
    for (index, rule) in jwt.rules.iter().enumerate() {
        let here = Path::Item(&rules, index);
        if let Some(name) = &rule.name
            && again.contains(&index)
        {
            problems.push(Error::new(
                Path::Field(&here, "name"),
                format!("`{name}` again"),
                "a name of its own",
            ));
        }
        if let Some(before) = catches_all {
            let found = format!("a rule behind `rules[{before}]`, which matches everything");
            problems.push(Error::new(here, found, "a rule that can decide"));
        } else if rule.hosts.is_empty() && rule.paths.is_empty() && rule.methods.is_empty() {
            catches_all = Some(index);
        }
        let list = Path::Field(&here, "providers");
        for (index, name) in rule.providers.iter().enumerate() {
            if !jwt.providers.iter().any(|provider| &provider.name == name) {
                problems.push(Error::new(
                    Path::Item(&list, index),
                    format!("`{name}`, which is no provider"),
                    "the name of a provider",
                ));
            }
        }
    }
}

//! `spec.jwt`, as written.

use crate::spec::kind::{AtLeastOne, List, names, object};
use crate::spec::read::{Fields, Path};
use crate::spec::sorted;
use crate::spec::{ConfigError, Problems, Provider, Rule};

object! {
    /// Who is calling, and may they?
    JwtFields for Jwt -> Jwt {
        /// Who issues tokens. Names and issuers are unique.
        "providers" providers: required AtLeastOne<Provider>;
        /// The first rule whose `hosts`, `paths` and `methods` all match decides. A rule behind one that matches everything is refused; one behind several that together match all it matches is a finding.
        "rules" rules: optional List<Rule>;
        /// What is asked for where no rule matches. There is no default, so that nobody is let in by an omission.
        "otherwise" otherwise: required Access,
            absent "`Require`, `Optional`, `Open` or `Deny`, for requests that no rule matches"
            "there is no default, so that nobody is let in by an omission";
        /// What happens to a path that servers read in different ways, where a rule has `paths`.
        "ambiguousPath" ambiguous_path: default AmbiguousPath = AmbiguousPath::Reject;
        /// What happens to a CORS preflight: `OPTIONS` with `origin` and `access-control-request-method`, neither empty, and no header such as `x-http-method-override`.
        "preflight" preflight: default Preflight = Preflight::Pass;
    }
}

pub(crate) struct Jwt {
    pub providers: Vec<Provider>,
    pub rules: Vec<Rule>,
    pub otherwise: Access,
    pub ambiguous_path: AmbiguousPath,
    pub preflight: Preflight,
}

names! {
    /// What is asked for.
    pub(crate) Access {
        /// A good token is needed.
        Require,
        /// No token is fine, a bad one is not.
        Optional,
        /// Tokens are not looked at.
        Open,
        /// Nobody is let in.
        Deny,
    }
}

names! {
    /// What happens to a path that servers read in different ways.
    pub(crate) AmbiguousPath {
        /// The request is refused.
        Reject,
        /// Escapes, slashes and segments are compared as they stand.
        Allow,
    }
}

names! {
    /// What happens to a CORS preflight where a token is asked for.
    pub(crate) Preflight {
        /// It needs no token. `access: Deny` and what is ambiguous hold for it too.
        Pass,
        /// It is judged as any request.
        Judge,
    }
}

impl Jwt {
    fn build(given: JwtFields, fields: Fields<'_, '_>) -> Option<Self> {
        fields.finish();
        Some(Self {
            providers: given.providers.value?,
            rules: given.rules.value.unwrap_or_default(),
            otherwise: given.otherwise.value?,
            ambiguous_path: given.ambiguous_path.value,
            preflight: given.preflight.value,
        })
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

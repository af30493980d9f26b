//! Rules that can never decide.

use crate::matching::unreachable;
use crate::spec::{ConfigError, Jwt, Problems};

pub fn review(jwt: Jwt, findings: &mut Problems) {
    let rules = jwt.rules.iter();
    let about: Vec<(Option<String>, bool)> =
        rules.map(|rule| (rule.name.clone(), rule.shadow)).collect();
    let told = |place: &usize| match about.get(*place) {
        Some((Some(name), _)) => format!("`rules[{place}]` (`{name}`)"),
        _ => format!("`rules[{place}]`"),
    };
    for (place, deciding) in unreachable(jwt.rules, jwt.ambiguous_path) {
        if findings.passes_over() {
            continue;
        }
        // Three are enough to find the cause.
        let mut names: Vec<String> = deciding.iter().take(3).map(told).collect();
        if let Some(more) = deciding.len().checked_sub(3).filter(|more| *more > 0) {
            names.push(format!("{more} more"));
        }
        let path = format!("spec.jwt.rules[{place}]");
        let found = format!(
            "a rule whose requests are all decided by {}",
            names.join(", ")
        );
        let shadow = deciding
            .iter()
            .any(|place| about.get(*place).is_some_and(|(_, shadow)| *shadow));
        let hint = if shadow {
            "the first rule that matches decides, in `Shadow` too: what it would refuse goes on, and no later rule is asked but for requests that are ambiguous"
        } else {
            "the first rule that matches decides: the narrower one stands first"
        };
        findings.push(ConfigError::new(path, found, "a rule that can decide").hint(hint));
    }
}

//! Every case about rules once more with its policy the other way round: what opened denies, and what denied opens. A spelling that walks around a rule is safe in one of the
//! two and open in the other, so a case that holds in one says only half.

use std::path::PathBuf;

use corpus::{Engine as _, Native, Observed, Outcome, Ready, Suite};
use serde_json::{Value, json};

/// Any time: tokens are minted for it.
const NOW: u64 = 1_790_000_000;

#[test]
fn each_case_holds_the_other_way_round() {
    let (mut opened, mut denied, mut same) = (0_u32, 0_u32, 0_u32);
    let cases = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/cases");
    for file in corpus::files(&[cases]).expect("testdata/cases is there") {
        let suite = Suite::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let mut mint = suite.mint(NOW);
        for (line, case) in &suite.cases {
            let at = format!("{}:{line}: {}", file.display(), case.name);
            let ready = suite
                .ready(case, &mut mint, NOW)
                .unwrap_or_else(|error| panic!("{at}: {error}"));
            let policy: Value = serde_json::from_slice(&ready.policy).expect("it was made");
            let Some(turned) = turned(&policy).filter(|_| ready.host_faults.is_empty()) else {
                continue;
            };
            let mirrored = judge(&Ready {
                policy: turned.to_string().into_bytes(),
                scenario: ready.scenario.clone(),
                tokens: ready.tokens.clone(),
                host_faults: ready.host_faults.clone(),
                verify: ready.verify,
            });
            let plain = judge(&ready);
            let (is, was) = (told(&mirrored), told(&plain));
            match (access(&policy, &plain), plain.outcome) {
                (Some("Open"), Outcome::Allow) => {
                    denied += 1;
                    let due = (Outcome::Deny, Some("RuleDenied"), was.2);
                    assert_eq!(is, due, "{at}");
                }
                (Some("Deny"), Outcome::Deny) if was.1 == Some("RuleDenied") => {
                    opened += 1;
                    assert_eq!(is, (Outcome::Allow, None, was.2), "{at}");
                }
                _ => {
                    same += 1;
                    assert_eq!(is, was, "{at}");
                }
            }
        }
    }
    println!(
        "denied where it was open: {denied}, open where it was denied: {opened}, the same: {same}"
    );
    assert!(
        denied > 50 && opened > 20 && same > 50,
        "{denied}, {opened}, {same}"
    );
}

fn judge(ready: &Ready) -> Observed {
    let mut engine = Native::ready(ready).unwrap_or_else(|error| panic!("{error}"));
    engine
        .judge(&ready.scenario)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Outcome, reason and rule.
fn told(observed: &Observed) -> (Outcome, Option<&str>, Option<&Value>) {
    let rule = observed
        .explanation
        .as_ref()
        .and_then(|explanation| explanation.get("rule"));
    (observed.outcome, observed.reason.as_deref(), rule)
}

/// The policy with `Open` and `Deny` exchanged; none where it has neither, or where a rule only counts.
fn turned(policy: &Value) -> Option<Value> {
    let mut policy = policy.clone();
    if policy.to_string().contains("\"Shadow\"") {
        return None;
    }
    let jwt = policy.pointer_mut("/spec/jwt")?.as_object_mut()?;
    let mut turned = 0;
    let mut turn = |access: &mut Value| {
        let other = match access.as_str() {
            Some("Open") => "Deny",
            Some("Deny") => "Open",
            _ => return,
        };
        *access = json!(other);
        turned += 1;
    };
    if let Some(rules) = jwt.get_mut("rules").and_then(Value::as_array_mut) {
        for rule in rules {
            rule.get_mut("access").into_iter().for_each(&mut turn);
        }
    }
    jwt.get_mut("otherwise").into_iter().for_each(&mut turn);
    (turned > 0).then_some(policy)
}

/// What the rule that decided asks for. A rule is told by its name or as `rules[INDEX]`.
fn access<'p>(policy: &'p Value, observed: &Observed) -> Option<&'p str> {
    let decided = observed.explanation.as_ref()?.get("rule")?.as_str()?;
    let jwt = policy.pointer("/spec/jwt")?;
    if decided.eq_ignore_ascii_case("otherwise") {
        return jwt.get("otherwise")?.as_str();
    }
    let rules = jwt.get("rules")?.as_array()?;
    let mut rules = rules.iter().enumerate();
    let (_, rule) = rules.find(|(index, rule)| match rule.get("name") {
        Some(name) => name == decided,
        None => decided == format!("rules[{index}]"),
    })?;
    rule.get("access")?.as_str()
}

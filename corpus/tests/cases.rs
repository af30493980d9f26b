//! Every case under testdata/cases, natively and under wasmtime; and what the cases cover.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use corpus::{Case, Coverage, Depth, Engine, EngineError, Observed, Suite};

#[test]
fn cases_agree_natively() {
    let mut coverage = Coverage::default();
    run(
        Depth::Native,
        |ready| Ok(Box::new(corpus::Native::ready(ready)?)),
        |suite, case, observed| {
            coverage.add(case, suite.spec(case).expect("it ran"), Some(observed))
        },
    );
    println!("depth native: {coverage}");
}

#[test]
fn cases_cover_every_reason_action_and_vector() {
    let mut coverage = Coverage::default();
    each(|suite, case, ready| {
        let spec = suite.spec(case).expect("it is ready");
        if !case.host_faults.is_empty() {
            coverage.add(case, spec, None);
        } else if let Ok(observed) =
            corpus::Native::ready(ready).and_then(|mut engine| engine.judge(&ready.scenario))
        {
            coverage.add(case, spec, Some(&observed));
        }
    });
    for refused in corpus::refused::read(&cases().join("refused.yaml"))
        .unwrap_or_else(|error| panic!("{error}"))
    {
        refused
            .vector
            .iter()
            .for_each(|vector| coverage.add_vector(vector));
    }
    let gaps = coverage.gaps();
    assert!(gaps.is_empty(), "{coverage}\n\ngaps:\n{}", gaps.join("\n"));
}

#[cfg(feature = "wasm")]
#[test]
fn cases_agree_under_wasmtime() {
    let module =
        std::env::var("KYMA_ISTIO_WASM").map_err(|_| "KYMA_ISTIO_WASM is not set".to_owned());
    let module = module.and_then(|path| {
        std::fs::read(&path).map_err(|error| format!("KYMA_ISTIO_WASM={path}: {error}"))
    });
    let module = module.unwrap_or_else(|why| panic!("{why}\nrun `make wasm`, then `KYMA_ISTIO_WASM=$PWD/out/header-policy.wasm cargo test -p corpus`"));
    let module = corpus::Module::compile(&module).expect("the module compiles");
    let mut coverage = Coverage::default();
    run(
        Depth::Wasmtime,
        |ready| Ok(Box::new(module.ready(ready)?)),
        |suite, case, observed| {
            coverage.add(case, suite.spec(case).expect("it ran"), Some(observed))
        },
    );
    println!("depth wasmtime: {coverage}");
}

#[test]
fn refused_policies_are_refused() {
    let file = cases().join("refused.yaml");
    let mut failures = String::new();
    for refused in corpus::refused::read(&file).unwrap_or_else(|error| panic!("{error}")) {
        if let Err(wrong) = refused.judge(&signature::Software) {
            let _ = write!(
                failures,
                "\n{}: {}\n    {}",
                file.display(),
                refused.name,
                wrong.join("\n    ")
            );
        }
    }
    assert!(
        failures.is_empty(),
        "problems of refused policies differ:{failures}"
    );
}

#[test]
fn names_are_unique() {
    let mut names = std::collections::BTreeSet::new();
    let mut twice = Vec::new();
    each(|suite, case, _| {
        if !names.insert((suite.path.clone(), case.name.clone())) {
            twice.push(format!("{}: {}", suite.path.display(), case.name));
        }
        let excused = case.depths.is_none() || case.why.is_some();
        assert!(
            excused,
            "{}: {}: `depths` without `why`",
            suite.path.display(),
            case.name
        );
    });
    assert!(twice.is_empty(), "twice:\n{}", twice.join("\n"));
}

#[test]
fn cases_say_their_source_and_position() {
    let mut silent = Vec::new();
    for file in corpus::files(&[cases()]).expect("testdata/cases is there") {
        let text = std::fs::read_to_string(&file).expect("it was listed");
        for document in corpus::yaml::read(&text).unwrap_or_else(|error| panic!("{error}")) {
            let cases = document
                .value
                .get("cases")
                .and_then(|cases| cases.as_array());
            for case in cases.into_iter().flatten() {
                let missing = ["source", "position"]
                    .into_iter()
                    .filter(|field| case.get(field).is_none());
                silent
                    .extend(missing.map(|field| {
                        format!("{}: {}: no `{field}`", file.display(), case["name"])
                    }));
            }
        }
    }
    assert!(silent.is_empty(), "silent:\n{}", silent.join("\n"));
}

fn run(
    depth: Depth,
    load: impl Fn(&corpus::Ready) -> Result<Box<dyn Engine>, EngineError>,
    mut observe: impl FnMut(&Suite, &Case, &Observed),
) {
    let mut failures = String::new();
    let (mut ran, mut failed) = (0_u32, 0_u32);
    each(|suite, case, ready| {
        if !case.runs_at(depth) {
            return;
        }
        ran += 1;
        let wrong = match load(ready).and_then(|mut engine| engine.judge(&ready.scenario)) {
            Err(error) => vec![error.to_string()],
            Ok(observed) => {
                observe(suite, case, &observed);
                corpus::judge(case, &ready.tokens, &observed)
                    .err()
                    .unwrap_or_default()
            }
        };
        if !wrong.is_empty() {
            failed += 1;
            let _ = write!(
                failures,
                "\n{}: {}\n    {}",
                suite.path.display(),
                case.name,
                wrong.join("\n    ")
            );
        }
    });
    assert!(ran > 0, "no cases");
    assert!(
        failures.is_empty(),
        "{failed} of {ran} cases failed at depth {depth:?}:{failures}"
    );
}

fn each(mut visit: impl FnMut(&Suite, &Case, &corpus::Ready)) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_secs();
    for file in corpus::files(&[cases()]).expect("testdata/cases is there") {
        let suite = Suite::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let mut mint = suite.mint(now);
        for (line, case) in &suite.cases {
            let ready = suite.ready(case, &mut mint, now).unwrap_or_else(|error| {
                panic!("{}:{line}: {}: {error}", file.display(), case.name)
            });
            visit(&suite, case, &ready);
        }
    }
}

fn cases() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/cases")
}

//! docs/threats.md names files, cases and tests that are there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push_str(&std::fs::read_to_string(&path).expect("a source file"));
        }
    }
}

#[test]
fn what_the_page_of_threats_names_is_there() {
    let page = std::fs::read_to_string(root().join("docs/threats.md")).expect("the page");
    let mut cases = BTreeSet::new();
    for file in corpus::files(&[root().join("testdata/cases")]).expect("the cases") {
        let suite = corpus::Suite::read(&file).unwrap_or_else(|error| panic!("{error}"));
        cases.extend(suite.cases.into_iter().map(|(_, case)| case.name));
    }
    let mut code = String::new();
    for folder in ["policy", "corpus", "lab/tests"] {
        sources(&root().join(folder), &mut code);
    }
    let mut missing = Vec::new();
    let mut count = 0;
    for part in page.split(['|', ';', '\n']).map(str::trim) {
        let is_there = if let Some(case) = part.strip_prefix("case: ") {
            cases.contains(case)
        } else if let Some(test) = part.strip_prefix("test: ") {
            code.contains(&format!("fn {test}("))
        } else {
            continue;
        };
        count += 1;
        if !is_there {
            missing.push(part.to_owned());
        }
    }
    for word in page.split([' ', '(', ')', ',', ':', '|']) {
        let word = word.trim_end_matches(['.', '`']);
        if word.contains('/') && (word.ends_with(".rs") || word.ends_with(".md")) {
            count += 1;
            if !root().join(word).is_file() {
                missing.push(word.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(count > 50, "only {count} names were found");
}

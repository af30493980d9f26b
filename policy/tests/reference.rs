//! The tables of docs/header-policy.md are those that the reader reads by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/header-policy.md")
}

/// The name of the table that begins behind this line, a comment that nobody sees on the page.
fn mark(line: &str) -> Option<&str> {
    line.strip_prefix("<!-- table ")?.strip_suffix(" -->\n")
}

/// The page with these tables behind their marks, and the names of the marks.
fn with_tables(page: &str, tables: &BTreeMap<String, String>) -> (String, Vec<String>) {
    let (mut new, mut marks) = (String::new(), Vec::new());
    let mut in_table = false;
    for line in page.split_inclusive('\n') {
        in_table &= line.starts_with('|');
        if !in_table {
            new.push_str(line);
        }
        if let Some(name) = mark(line) {
            new.push_str(tables.get(name).map_or("", String::as_str));
            marks.push(name.to_owned());
            in_table = true;
        }
    }
    marks.sort();
    (new, marks)
}

/// `UPDATE=1 cargo test -p policy --test reference` writes them.
#[test]
fn the_reference_has_the_tables_of_the_language() {
    let tables = policy::reference_tables();
    let old = std::fs::read_to_string(page()).unwrap();
    let (new, marks) = with_tables(&old, &tables);
    assert_eq!(
        marks,
        tables.keys().cloned().collect::<Vec<_>>(),
        "each table stands on the page once"
    );
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(page(), &new).unwrap();
        return;
    }
    assert!(
        old == new,
        "docs/header-policy.md has other tables: `UPDATE=1 cargo test -p policy --test reference` writes them"
    );
}

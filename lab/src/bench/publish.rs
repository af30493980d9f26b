//! Brings the last report into the documents.

use std::path::Path;

use serde_json::Value;

use super::{
    COMMANDS, CPU_PLOT, CURVES_PLOT, Commands, Costs, ENVOY, MACHINE, Machine, Report, WASM,
    markdown, plot, write,
};
use crate::{Error, Result, envoy::read, repository};

/// Between these lines docs/performance.md is written by the bench.
const BEGIN: &str = "<!-- from here on written by `make bench-docs` -->\n";
const END: &str = "<!-- to here -->\n";

/// Makes the tables and plots anew from the JSON of the last `make bench` and puts them under `docs/`.
pub(super) fn publish(out: &Path) -> Result<String> {
    let machine: Machine = parse(&out.join(MACHINE))?;
    let costs: Costs = parse(&out.join(WASM))?;
    let commands: Commands = parse(&out.join(COMMANDS))?;
    let rounds: Value = parse(&out.join(ENVOY))?;
    let report = Report::from_json(rounds.as_object().unwrap_or(&serde_json::Map::new()))?;
    let docs = repository().join("docs");
    let page = docs.join("performance.md");
    let tables = markdown::tables(Some((&machine, &report)), &costs, Some(&commands));
    let text = between(&read(&page)?, &tables).ok_or_else(|| {
        Error::Unusable(format!(
            "{}: expected the lines `{}` and `{}`",
            page.display(),
            BEGIN.trim(),
            END.trim()
        ))
    })?;
    write(&docs.join(CPU_PLOT), &plot::bars(&report))?;
    write(&docs.join(CURVES_PLOT), &plot::curves(&costs))?;
    write(&page, &text)?;
    Ok(format!(
        "docs/performance.md, docs/{CPU_PLOT} and docs/{CURVES_PLOT} are written\n"
    ))
}

fn between(page: &str, tables: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{tables}\n{END}{after}"))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = read(path).map_err(|error| unusable(&error))?;
    serde_json::from_str(&text)
        .map_err(|error| unusable(&format_args!("{}: {error}", path.display())))
}

fn unusable(why: &dyn std::fmt::Display) -> Error {
    Error::Unusable(format!("{why}; hint: make bench"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let new = between(&page, "new\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
        assert_eq!(between(&new, "new\n"), Some(new));
        assert_eq!(between("no marks\n", "new\n"), None);
    }
}

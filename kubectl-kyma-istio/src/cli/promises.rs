//! Every `kubectl kyma-istio …` that a hint, a code's text or a page shows is a command that there is.

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};

use super::Cli;

const PREFIX: &str = "kubectl kyma-istio ";

#[test]
fn what_hints_and_pages_tell_people_to_type_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in [
        "docs",
        "mesh/src",
        "cluster/src",
        "delivery/src",
        "kubectl-kyma-istio/src",
    ] {
        collect(&root.join(folder), &mut files);
    }
    files.push(root.join("README.md"));
    let command = Cli::command();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for rest in text.split(PREFIX).skip(1) {
            let end = rest
                .find(['`', '\n', '"', '#', '\'', '|', '('])
                .unwrap_or(rest.len());
            let typed = rest[..end]
                .trim_end_matches(['.', ',', ';', ':', '\\', '…'])
                .trim();
            seen += 1;
            if let Err(why) = follow(&command, typed) {
                wrong.push(format!("{}: `{PREFIX}{typed}`: {why}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 50, "only {seen} were found");
}

/// Walks down the subcommands, then looks for each flag.
fn follow(top: &Command, typed: &str) -> Result<(), String> {
    let mut command = top;
    let mut words = typed.split_whitespace().peekable();
    while let Some(word) = words.peek() {
        match command.find_subcommand(word) {
            Some(found) => command = found,
            // A placeholder, or what a command with arguments takes.
            None if !std::ptr::eq(command, top) || !is_name(word) => break,
            None => return Err(format!("there is no command `{word}`")),
        }
        words.next();
    }
    for word in words.filter(|word| word.starts_with("--")) {
        let name = word.trim_start_matches("--");
        let name = name
            .split('=')
            .next()
            .unwrap_or_default()
            .trim_end_matches(|c: char| !c.is_alphanumeric());
        let is_known = ["help", "version", ""].contains(&name)
            || [top, command].iter().any(|one| {
                one.get_arguments().any(|flag| {
                    flag.get_long() == Some(name)
                        || flag
                            .get_all_aliases()
                            .is_some_and(|all| all.contains(&name))
                })
            });
        if !is_known {
            return Err(format!("`{}` has no flag `--{name}`", command.get_name()));
        }
    }
    Ok(())
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path
            .extension()
            .is_some_and(|end| end == "rs" || end == "md")
        {
            files.push(path);
        }
    }
}

//! `lean-exports [--section NAME TEXT] IN.wasm OUT.wasm EXPORT…` keeps exactly the named exports of a module and drops what nothing reaches any more.
//! With `--section` it adds a custom section, which says something about the module to whoever delivers it.
//!
//! The proxy-wasm SDK exports every callback there is. Envoy calls each one that it finds, once or more per request, and each keeps its
//! code alive in every proxy. The same input gives the same output, byte for byte.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use walrus::{ModuleConfig, RawCustomSection};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (section, rest) = match arguments.as_slice() {
        [flag, name, text, rest @ ..] if flag == "--section" => {
            (Some((name.as_str(), text.as_str())), rest)
        }
        rest => (None, rest),
    };
    let [input, output, keep @ ..] = rest else {
        eprintln!("usage: lean-exports [--section NAME TEXT] IN.wasm OUT.wasm EXPORT…");
        return ExitCode::from(2);
    };
    let keep = keep.iter().map(String::as_str).collect();
    match lean(Path::new(input), &keep, section)
        .and_then(|module| replace(Path::new(output), &module))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("lean-exports: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn lean(
    input: &Path,
    keep: &BTreeSet<&str>,
    section: Option<(&str, &str)>,
) -> Result<Vec<u8>, String> {
    let original = std::fs::read(input).map_err(|error| format!("{}: {error}", input.display()))?;
    let mut module = ModuleConfig::new()
        .generate_name_section(false)
        .generate_producers_section(false)
        .parse(&original)
        .map_err(|error| format!("{}: {error:#}", input.display()))?;

    let found: BTreeSet<String> = module
        .exports
        .iter()
        .map(|export| export.name.clone())
        .collect();
    let missing: Vec<&str> = keep
        .iter()
        .filter(|name| !found.contains(**name))
        .copied()
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "{} does not export {}",
            input.display(),
            missing.join(", ")
        ));
    }

    let unwanted: Vec<_> = module
        .exports
        .iter()
        .filter(|export| !keep.contains(export.name.as_str()))
        .map(|export| export.id())
        .collect();
    for export in unwanted {
        module.exports.delete(export);
    }
    walrus::passes::gc::run(&mut module);
    if let Some((name, text)) = section {
        module.customs.add(RawCustomSection {
            name: name.to_owned(),
            data: text.as_bytes().to_vec(),
        });
    }
    Ok(module.emit_wasm())
}

/// An unchanged module is left alone, so that nothing that embeds it is built again; a changed one appears whole or not at all.
fn replace(output: &Path, module: &[u8]) -> Result<(), String> {
    if std::fs::read(output).is_ok_and(|old| old == module) {
        return Ok(());
    }
    let new = output.with_extension("wasm.new");
    std::fs::write(&new, module)
        .and_then(|()| std::fs::rename(&new, output))
        .map_err(|error| format!("{}: {error}", output.display()))
}

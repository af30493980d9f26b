//! `completion`: scripts for shells, the file that kubectl's completion calls, the man pages.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use crate::cli::{Cli, Completion, Form, InstallCompletion};
use crate::completion::{COMPLETER, PLUGIN, Shell, script};
use crate::error::Error;
use crate::report::{Body, CompletionInstalled, Report};

/// Tells our file from another one of the same name.
const MARK: &str = "# Written by `kubectl kyma-istio completion install`.";

pub fn run(arguments: &Completion) -> Result<Report, Error> {
    let shell = match arguments {
        Completion::Bash => Shell::Bash,
        Completion::Zsh => Shell::Zsh,
        Completion::Fish => Shell::Fish,
        Completion::Powershell => Shell::Powershell,
        Completion::Install(arguments) => return install(arguments),
        Completion::Man { folder } => return man(folder),
    };
    Ok(Report::new(Form::Table, Body::Script(script(shell))))
}

/// What kubectl calls with the words typed: a plugin's completion is an executable of its own.
fn file() -> String {
    format!("#!/bin/sh\n{MARK}\nexec {PLUGIN} __complete \"$@\"\n")
}

fn install(arguments: &InstallCompletion) -> Result<Report, Error> {
    let folder = match &arguments.dir {
        Some(folder) => folder.clone(),
        None => folder_of_the_plugin()?,
    };
    let path = folder.join(COMPLETER);
    let changed = is_to_be_written(&path)?;
    if changed && !arguments.dry_run {
        write(&folder, &path).map_err(|error| {
            Error::input_hint(
                format!("can't write `{}`: {error}", path.display()),
                "name another folder of $PATH with `--dir`",
            )
        })?;
    }
    let body = CompletionInstalled {
        in_path: folders_of_path().iter().any(|one| is_same(one, &folder)),
        path,
        changed,
        dry_run: arguments.dry_run,
    };
    Ok(Report::new(
        arguments.output.form,
        Body::CompletionInstalled(body),
    ))
}

/// False when the file is there as it should be; an error when something else is.
fn is_to_be_written(path: &Path) -> Result<bool, Error> {
    let foreign = |what: &str| {
        Error::input_hint(
            format!(
                "found {what} at `{}`, expected no file or one that this command wrote",
                path.display()
            ),
            "move it away, or name another folder of $PATH with `--dir`",
        )
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(source) => Err(Error::Read {
            path: path.to_owned(),
            source,
        }),
        // A link to the plugin under this name answers kubectl too.
        Ok(found) if found.is_symlink() => match fs::read_link(path) {
            Ok(target) if target.file_name() == Some(PLUGIN.as_ref()) && path.is_file() => {
                Ok(false)
            }
            _ => Err(foreign("a link")),
        },
        Ok(found) if found.is_file() => {
            let content = fs::read(path).map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            })?;
            let text = String::from_utf8_lossy(&content);
            match text.lines().nth(1) == Some(MARK) && text.lines().count() == 3 {
                true => Ok(text != file() || !is_executable(&found)),
                false => Err(foreign("another file")),
            }
        }
        Ok(_) => Err(foreign("a folder")),
    }
}

/// A reader sees the whole file or none.
fn write(folder: &Path, path: &Path) -> io::Result<()> {
    let mut file_of_folder = tempfile::NamedTempFile::new_in(folder)?;
    file_of_folder.write_all(file().as_bytes())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::Permissions::from_mode(0o755);
        file_of_folder.as_file().set_permissions(mode)?;
    }
    file_of_folder.persist(path)?;
    Ok(())
}

#[cfg(unix)]
fn is_executable(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o111 == 0o111
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    true
}

/// Where kubectl finds the plugin: krew has links in one folder of $PATH, and the programs in others.
fn folder_of_the_plugin() -> Result<PathBuf, Error> {
    let folders = folders_of_path();
    let found = folders.into_iter().find(|one| one.join(PLUGIN).is_file());
    found.ok_or_else(|| {
        Error::input_hint(
            format!("found no `{PLUGIN}` in $PATH, expected the folder from which kubectl runs it"),
            "name a folder of $PATH with `--dir`",
        )
    })
}

fn folders_of_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path);
    folders.filter(|one| !one.as_os_str().is_empty()).collect()
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// One page a command, named as git names its own: `kubectl-kyma_istio-filter-simulate.1`.
fn man(folder: &Path) -> Result<Report, Error> {
    let mut command = Cli::command().name(PLUGIN).display_name(PLUGIN);
    command.build();
    let mut written = Vec::new();
    fs::create_dir_all(folder)?;
    pages(&command, PLUGIN, folder, &mut written)?;
    let lines = written.join("\n") + "\n";
    Ok(Report::new(Form::Table, Body::Script(lines)))
}

fn pages(
    command: &clap::Command,
    name: &str,
    folder: &Path,
    written: &mut Vec<String>,
) -> Result<(), Error> {
    let page = clap_mangen::Man::new(command.clone())
        .title(name)
        // An empty date would be left out, and the source would stand in its place.
        .date(" ")
        .source(format!("{PLUGIN} {}", env!("CARGO_PKG_VERSION")))
        .manual("kubectl plugins");
    let mut content = Vec::new();
    page.render(&mut content)?;
    let file = format!("{name}.1");
    fs::write(folder.join(&file), content)?;
    written.push(file);
    for below in command.get_subcommands() {
        if !below.is_hide_set() && below.get_name() != "help" {
            pages(
                below,
                &format!("{name}-{}", below.get_name()),
                folder,
                written,
            )?;
        }
    }
    Ok(())
}

//! What can come next on a command line, for shells and for kubectl. It is asked while a command is typed: nothing here parses a whole command line, reaches a cluster or fails.
//!
//! The plugin answers in three ways: `kubectl-kyma_istio __complete WORDS` and a link named `kubectl_complete-kyma_istio` answer as kubectl expects it of a plugin,
//! and [`by_environment`] answers the scripts that clap_complete makes for zsh, fish and PowerShell.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{CompleteEnv, EnvCompleter};

use crate::cli::Cli;

/// The name under which the plugin is found.
pub const PLUGIN: &str = "kubectl-kyma_istio";
/// The name under which kubectl looks for a plugin's completion.
pub const COMPLETER: &str = "kubectl_complete-kyma_istio";
/// The scripts for zsh, fish and PowerShell set this variable to the name of their shell. It is not clap's `COMPLETE`, which others may set for themselves.
const VARIABLE: &str = "KYMA_ISTIO_COMPLETE";
/// The hidden command, spelled as cobra's.
const COMMAND: &str = "__complete";

/// Cobra's `ShellCompDirective`: bits of the last line, `:4`, of an answer.
mod directive {
    /// No space after a candidate: more follows.
    pub const NO_SPACE: u8 = 2;
    /// Don't fall back to file names where there is no candidate.
    pub const NO_FILES: u8 = 4;
}

/// Answers a completion script of clap_complete, when one asks; true when it did.
pub fn by_environment() -> bool {
    let current = std::env::current_dir().ok();
    CompleteEnv::with_factory(Cli::command)
        .var(VARIABLE)
        .bin(PLUGIN)
        .completer(PLUGIN)
        .try_complete(std::env::args_os(), current.as_deref())
        // A shell that asks for what we can't answer gets no candidates.
        .unwrap_or(true)
}

/// The words of a command line that is to be completed, the last one unfinished; none when the plugin was called for something else.
pub fn asked(arguments: &[OsString]) -> Option<&[OsString]> {
    let (program, rest) = arguments.split_first()?;
    if Path::new(program).file_name() == Some(OsStr::new(COMPLETER)) {
        return Some(rest);
    }
    match rest.split_first() {
        Some((first, words)) if first == COMMAND => Some(words),
        _ => None,
    }
}

/// The candidates, one a line with its description behind a tab, and a line with a directive: cobra's protocol, which kubectl reads.
pub fn answer(words: &[OsString], folder: Option<&Path>) -> String {
    let mut line = vec![PLUGIN.into()];
    line.extend_from_slice(words);
    if words.is_empty() {
        line.push(OsString::new());
    }
    let last = line.len() - 1;
    let mut candidates =
        clap_complete::engine::complete(&mut Cli::command(), line.clone(), last, folder)
            .unwrap_or_default();
    // Where a value, a file or a command can come, flags are offered to those who begin to type one, as kubectl does it.
    let typed = line[last].to_string_lossy();
    if !typed.starts_with('-') && candidates.iter().any(|one| !is_flag(one)) {
        candidates.retain(|one| !is_flag(one));
    }
    let mut answer = String::new();
    for candidate in &candidates {
        answer.push_str(&candidate.get_value().to_string_lossy());
        let help = candidate.get_help().map(ToString::to_string);
        // One line: a description goes as far as its first.
        if let Some(first) = help.as_deref().and_then(|help| help.lines().next()) {
            answer.push('\t');
            answer.push_str(&first.replace('\t', " "));
        }
        answer.push('\n');
    }
    let is_open = |one: &CompletionCandidate| {
        let value = one.get_value().to_string_lossy();
        value.ends_with(['/', '='])
    };
    let mut bits = directive::NO_FILES;
    if !candidates.is_empty() && candidates.iter().all(is_open) {
        bits |= directive::NO_SPACE;
    }
    format!("{answer}:{bits}\n")
}

fn is_flag(candidate: &CompletionCandidate) -> bool {
    candidate.get_value().to_string_lossy().starts_with('-')
}

/// The completion script of a shell.
pub fn script(shell: Shell) -> String {
    let completer: &dyn EnvCompleter = match shell {
        // Ours, because clap's does not complete `--flag=value`: bash splits it at `=`.
        Shell::Bash => return BASH.to_owned(),
        Shell::Zsh => &clap_complete::env::Zsh,
        Shell::Fish => &clap_complete::env::Fish,
        Shell::Powershell => &clap_complete::env::Powershell,
    };
    let mut script = Vec::new();
    // Writing to memory does not fail.
    let _ =
        completer.write_registration(VARIABLE, "kubectl_kyma_istio", PLUGIN, PLUGIN, &mut script);
    String::from_utf8_lossy(&script).trim_start().to_owned()
}

/// The shells that have a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

const BASH: &str = include_str!("completion/bash.sh");

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(words: &[&str]) -> String {
        let words: Vec<OsString> = words.iter().map(Into::into).collect();
        answer(&words, Some(Path::new(env!("CARGO_MANIFEST_DIR"))))
    }

    /// The candidates without their descriptions, and the directive.
    fn values(words: &[&str]) -> Vec<String> {
        let answer = completed(words);
        let first = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
        answer.lines().map(first).collect()
    }

    #[test]
    fn a_verb_is_completed_with_its_description() {
        let answer = completed(&["ins"]);
        let lines: Vec<&str> = answer.lines().collect();
        assert_eq!(lines.len(), 2, "{answer}");
        assert!(lines[0].starts_with("install\tBring Istio to"), "{answer}");
        assert_eq!(lines[1], ":4");
    }

    #[test]
    fn nothing_typed_offers_the_verbs_and_no_hidden_one() {
        let found = values(&[""]);
        assert_eq!(found, values(&[]));
        for verb in ["install", "filter", "completion", "version"] {
            assert!(found.iter().any(|one| one == verb), "{found:?}");
        }
        assert!(!found.iter().any(|one| one.starts_with('-')), "{found:?}");
        assert!(!values(&["completion", ""]).contains(&"man".to_owned()));
    }

    #[test]
    fn values_of_an_enumeration_are_completed_in_both_spellings() {
        let forms = ["table", "json", "yaml", ":4"];
        let mut apart = values(&["version", "--output", ""]);
        let mut expected = forms.map(str::to_owned).to_vec();
        apart.sort();
        expected.sort();
        assert_eq!(apart, expected);
        assert_eq!(values(&["version", "--output=j"]), ["--output=json", ":4"]);
        assert_eq!(values(&["version", "-o", "y"]), ["yaml", ":4"]);
    }

    #[test]
    fn a_file_is_completed_and_a_folder_stays_open() {
        assert_eq!(
            values(&["filter", "simulate", "--policy", "Cargo.t"]),
            ["Cargo.toml", ":4"]
        );
        assert_eq!(values(&["filter", "validate", "sr"]), ["src/", ":6"]);
        assert_eq!(
            values(&["filter", "validate", "src/li"]),
            ["src/lib.rs", ":4"]
        );
    }

    #[test]
    fn flags_come_when_one_is_begun() {
        let found = values(&["filter", "simulate", "--po"]);
        assert_eq!(found, ["--policy", "--position", ":4"]);
        // What is no word of a command line any more has no candidates, and is no error.
        assert_eq!(values(&["no", "such", "verb"]), [":4"]);
    }

    #[test]
    fn only_what_asks_for_candidates_gets_them() {
        let words = |arguments: &[&str]| {
            let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
            asked(&arguments).map(<[OsString]>::len)
        };
        assert_eq!(
            words(&["kubectl-kyma_istio", "__complete", "a", ""]),
            Some(2)
        );
        assert_eq!(
            words(&["/usr/bin/kubectl_complete-kyma_istio", "a"]),
            Some(1)
        );
        assert_eq!(words(&["kubectl-kyma_istio", "filter", "__complete"]), None);
        assert_eq!(words(&["kubectl-kyma_istio"]), None);
        assert_eq!(words(&[]), None);
    }

    #[test]
    fn each_script_calls_the_plugin_by_its_name() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Powershell] {
            let script = script(shell);
            assert!(script.contains(PLUGIN), "{shell:?}: {script}");
            assert!(!script.contains("COMPLETER"), "{shell:?}: {script}");
        }
    }
}

//! The policy's file: read at the start, and looked at again for what it says, not for when it was written: editors rename files, a mounted ConfigMap swaps a link.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use policy::Position;
use serde::Deserialize as _;

use super::super::input;
use crate::cli::Serve;
use crate::error::Error;

/// A policy that compiles, and where its proxy stands.
pub struct Candidate {
    /// As the filter gets it.
    pub json: Vec<u8>,
    pub fingerprint: String,
    pub position: Position,
}

/// A file with one policy.
pub struct PolicyFile {
    name: String,
    /// None: stdin, which does not change.
    path: Option<PathBuf>,
    /// The position that the user asked for.
    asked: Option<Position>,
    /// What was told last.
    known: Seen,
    /// What the last look found. Only what two looks agree on counts: a file may be half written.
    last: Seen,
}

/// A file's text, or why there is none.
type Seen = Result<String, String>;

impl PolicyFile {
    /// Reads a file for the first time.
    pub fn open(arguments: &Serve, stdin: &mut dyn BufRead) -> Result<(Self, Candidate), Error> {
        let path = &arguments.policy;
        let text = input::text(path, stdin)?;
        let file = Self {
            name: input::name(path),
            path: (path.as_os_str() != "-").then(|| path.clone()),
            asked: arguments.position.map(Position::from),
            known: Ok(text.clone()),
            last: Ok(text.clone()),
        };
        let candidate = file.candidate(&text)?;
        Ok((file, candidate))
    }

    /// How messages name it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks at the file; what is new is told once, good or bad.
    pub fn changed(&mut self) -> Option<Result<Candidate, Error>> {
        let path = self.path.as_deref()?;
        let now = look(path);
        if now != self.last {
            self.last = now;
            return None;
        }
        if now == self.known {
            return None;
        }
        self.known.clone_from(&now);
        Some(match now {
            Ok(text) => self.candidate(&text),
            Err(why) => Err(Error::input(format!("can't read `{}`: {why}", self.name))),
        })
    }

    fn candidate(&self, text: &str) -> Result<Candidate, Error> {
        let read = input::one_policy(&self.name, text)?;
        let fixed = read
            .document
            .pointer("/spec/position")
            .and_then(|position| Position::deserialize(position).ok());
        let position = match (fixed, self.asked) {
            (Some(fixed), Some(asked)) if fixed != asked => {
                return Err(Error::input(format!(
                    "the policy is for `position: {fixed:?}`, but `{asked:?}` was asked for"
                )));
            }
            (fixed, asked) => fixed.or(asked).unwrap_or(Position::Gateway),
        };
        Ok(Candidate {
            json: read.json,
            fingerprint: read.fingerprint.to_string(),
            position,
        })
    }
}

fn look(path: &Path) -> Seen {
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "{apiVersion: policy.kyma-istio.dev/v1alpha1, kind: HeaderPolicy, spec: {forwarded: {trust: {hops: 1}}}}";

    /// A file that was read, with its path.
    fn opened(folder: &Path) -> (PolicyFile, PathBuf) {
        let path = folder.join("policy.yaml");
        std::fs::write(&path, GOOD).unwrap();
        let file = PolicyFile {
            name: "policy.yaml".to_owned(),
            path: Some(path.clone()),
            asked: None,
            known: Ok(GOOD.to_owned()),
            last: Ok(GOOD.to_owned()),
        };
        (file, path)
    }

    #[test]
    fn half_a_file_is_not_looked_at_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, path) = opened(folder.path());
        assert!(file.changed().is_none());
        std::fs::write(&path, "{apiVersion: policy").unwrap();
        assert!(file.changed().is_none());
        std::fs::write(&path, GOOD.replace("hops: 1", "hops: 2")).unwrap();
        assert!(file.changed().is_none());
        assert!(matches!(file.changed(), Some(Ok(_))));
        assert!(file.changed().is_none());
    }

    #[test]
    fn a_file_that_went_away_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, path) = opened(folder.path());
        std::fs::remove_file(&path).unwrap();
        assert!(file.changed().is_none());
        assert!(matches!(file.changed(), Some(Err(_))));
        assert!(file.changed().is_none());
    }

    #[test]
    fn a_policy_for_another_position_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, _) = opened(folder.path());
        file.asked = Some(Position::SidecarInbound);
        let other = GOOD.replace("spec: {", "spec: {position: Gateway, ");
        let error = file.candidate(&other).err().map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some("the policy is for `position: Gateway`, but `SidecarInbound` was asked for")
        );
    }
}

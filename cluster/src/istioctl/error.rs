//! What can be wrong with an `istioctl`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Class, first_line};

/// Why there is no `istioctl`, or no manifests of it.
#[derive(Debug, thiserror::Error)]
pub enum IstioctlError {
    /// None is named, and `$PATH` has none that fits.
    #[error("found no istioctl {wanted}{}", passed_over.as_ref().map(|error| format!(" ({error})")).unwrap_or_default())]
    NotFound {
        /// The version.
        wanted: String,
        /// Why the one on `$PATH` doesn't fit.
        passed_over: Option<Box<IstioctlError>>,
    },
    /// It is another version.
    #[error("`{}` is istioctl {found}, expected {wanted}", path.display())]
    OtherVersion {
        /// The program.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What is needed.
        wanted: String,
    },
    /// It isn't there, can't be run, or isn't istioctl.
    #[error("`{}` can't be used as istioctl: {what}", path.display())]
    Unusable {
        /// The program.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// Nothing comes from there.
    #[error("can't download `{url}`: {cause}")]
    Download {
        /// From where.
        url: String,
        /// Why, one line.
        cause: String,
    },
    /// There is no such release, or not in this mirror.
    #[error("found no istioctl {version} at `{url}`")]
    NoRelease {
        /// From where.
        url: String,
        /// The version.
        version: String,
    },
    /// It leads to where nothing proves who answers.
    #[error("`{from}` redirects to `{to}`, expected https")]
    Redirect {
        /// From where.
        from: String,
        /// Where to.
        to: String,
    },
    /// `--istioctl-base-url` is no URL.
    #[error("found {what} in the base URL `{base}`, expected `https://HOST/PATH`")]
    Base {
        /// It, without secrets.
        base: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// No sum is published, and none was given.
    #[error("found no `{url}` to check the archive beside it against")]
    NoSum {
        /// Where it was looked for.
        url: String,
    },
    /// Anybody between could have written it.
    #[error(
        "`{url}` is plain HTTP, expected https for the sum that the archive is checked against"
    )]
    SumNotAuthentic {
        /// Where it would come from.
        url: String,
    },
    /// What is published, or was kept, is no sum of this archive.
    #[error("`{from}` is no SHA-256 of the archive: {what}")]
    Sum {
        /// A URL, or a file of the cache.
        from: String,
        /// What was found and expected.
        what: String,
    },
    /// Another archive under the same name.
    #[error("the SHA-256 that is published for `{url}` is {published}, but it was {kept} in an earlier download, as `{}` says", path.display())]
    SumChanged {
        /// The archive.
        url: String,
        /// What is published now.
        published: String,
        /// What was published then.
        kept: String,
        /// Where that is kept.
        path: PathBuf,
    },
    /// Something else came. It was removed.
    #[error("`{url}` has SHA-256 {found}, expected {expected}; it was removed")]
    Checksum {
        /// From where.
        url: String,
        /// What came.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The archive is right by its checksum, but not what is needed.
    #[error("`{url}` {what}")]
    Archive {
        /// From where.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// The cache can't be used.
    #[error("can't {what} `{}`: {source}", path.display())]
    Cache {
        /// `write`, `create`.
        what: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It refuses the input.
    #[error("istioctl can't render this: {said}")]
    Render {
        /// The last line that it printed.
        said: String,
        /// All that it printed to stderr, for `-v`.
        stderr: String,
    },
    /// It doesn't come to an end.
    #[error("istioctl was not done after {} s", limit.as_secs())]
    TimedOut {
        /// How long was waited.
        limit: Duration,
    },
}

impl IstioctlError {
    /// Who must act.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::NotFound { .. }
            | Self::OtherVersion { .. }
            | Self::Unusable { .. }
            | Self::NoRelease { .. }
            | Self::Base { .. }
            | Self::NoSum { .. }
            | Self::SumNotAuthentic { .. }
            | Self::Sum { .. }
            | Self::Archive { .. }
            | Self::Cache { .. }
            | Self::Render { .. } => Class::Invalid,
            Self::Download { .. } => Class::Unreachable,
            Self::Redirect { .. } | Self::SumChanged { .. } | Self::Checksum { .. } => {
                Class::Refused
            }
            Self::TimedOut { .. } => Class::TimedOut,
        }
    }

    /// What helps, where something does.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { .. } | Self::OtherVersion { .. } | Self::Unusable { .. } => {
                Some("name one of the right version with `--istioctl FILE` or $ISTIOCTL")
            }
            Self::Download { .. } => Some(
                "running it again continues the download; or put istioctl of this version into $PATH, name one with `--istioctl FILE`, or a mirror with `--istioctl-base-url URL`",
            ),
            Self::NoRelease { .. } => Some(
                "https://github.com/istio/istio/releases lists the versions; a mirror has them as `URL/VERSION/istioctl-VERSION-PLATFORM.tar.gz`",
            ),
            Self::NoSum { .. } | Self::SumNotAuthentic { .. } | Self::Sum { .. } => Some(
                "`--istioctl-sha256` gives the sum, from a place that you trust; `--istioctl FILE` names an istioctl that you have",
            ),
            Self::SumChanged { .. } => Some(
                "a release is not published twice: ask who publishes it; removing the file that is named accepts the new sum",
            ),
            Self::Checksum { .. } | Self::Redirect { .. } => {
                Some("a proxy or mirror may have changed it; don't run what came from there")
            }
            Self::Base { .. } => Some(
                "it is given by `--istioctl-base-url` or $KYMA_ISTIO_ISTIOCTL_BASE_URL; the archives are at `URL/VERSION/`",
            ),
            Self::Cache { .. } => Some(
                "$XDG_CACHE_HOME names another folder for the cache; `--istioctl FILE` needs none",
            ),
            Self::Archive { .. } | Self::Render { .. } | Self::TimedOut { .. } => None,
        }
    }
}

/// The last line of a program's output that says something.
pub(super) fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let last = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty());
    last.map_or_else(|| "it says nothing".to_owned(), first_line)
}

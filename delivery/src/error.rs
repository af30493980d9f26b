//! What all errors of this crate have in common.

/// Who must act; the plugin makes its exit codes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Wrong usage, or a module or reference that can't be used.
    Invalid,
    /// The registry can't be reached, or doesn't let us in.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// We refuse: what is there isn't what was promised.
    Refused,
}

/// The first line that says something, without control characters, cut to a length that fits a terminal: servers say what they like.
pub(crate) fn first_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or_default()
        .chars()
        .filter(|character| !character.is_control())
        .take(LONGEST)
        .collect()
}

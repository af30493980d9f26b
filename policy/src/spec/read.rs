//! Reads JSON into wire types and reports every problem at once, each with its path.
//!
//! Serde's derived readers stop at the first problem, and a tree of values would stay in the memory of a VM that never shrinks. So an
//! object is read as a list of its fields as they stand, each of which is then read by itself: one bad field hides no other, and nothing
//! is copied that is not kept.

use std::borrow::Cow;
use std::fmt;

use crate::spec::error::{ConfigError, Problems, Words};
use crate::spec::kind::{Given, Kind};
use crate::spec::sorted;
use crate::spec::tape::Raw;

/// Where in the document a value stands.
#[derive(Clone, Copy)]
pub(crate) enum Path<'p> {
    Root,
    Field(&'p Path<'p>, &'p str),
    Item(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Field(Path::Root, name) => f.write_str(name),
            Path::Field(parent, name) => write!(f, "{parent}.{name}"),
            Path::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// One value, its place, and where its problems go.
pub(crate) struct Node<'a, 'p> {
    pub raw: Raw<'a>,
    pub path: Path<'p>,
    pub problems: &'p mut Problems,
    /// Whether messages name only the kind of what stands here: it could be a secret in the wrong place.
    pub quiet: bool,
}

impl<'a> Node<'a, '_> {
    /// Reports that this value is something else than `expected`.
    pub fn refuse<T>(self, expected: impl Into<Words>) -> Option<T> {
        self.report(expected.into(), None);
        None
    }

    /// As [`Node::refuse`], with a hint.
    pub fn refuse_with<T>(self, expected: impl Into<Words>, hint: impl Into<Words>) -> Option<T> {
        self.report(expected.into(), Some(hint.into()));
        None
    }

    /// Reports a problem in other words than the value's own.
    pub fn refuse_as<T>(self, found: impl Into<Words>, expected: impl Into<Words>) -> Option<T> {
        self.problems
            .push(ConfigError::new(self.path, found, expected));
        None
    }

    #[inline(never)]
    fn report(self, expected: Words, hint: Option<Words>) {
        if self.problems.passes_over() {
            return;
        }
        let mut problem = ConfigError::new(self.path, self.describe(), expected);
        problem.hint = hint.map(Words::into_owned);
        self.problems.push(problem);
    }

    fn describe(&self) -> String {
        if self.quiet && self.is_text() {
            return "a text".to_owned();
        }
        describe(self.raw)
    }

    /// The items of a list; anything else is a problem.
    pub fn items<T>(self, mut read: impl FnMut(Node<'_, '_>) -> Option<T>) -> Option<Vec<T>> {
        let Some(items) = self.raw.elements() else {
            return self.refuse("a list");
        };
        let mut whole = true;
        let mut list = Vec::with_capacity(items.len());
        for (index, raw) in items.into_iter().enumerate() {
            let item = read(Node {
                raw,
                path: Path::Item(&self.path, index),
                problems: self.problems,
                quiet: self.quiet,
            });
            match item {
                Some(item) => list.push(item),
                None => whole = false,
            }
        }
        whole.then_some(list)
    }

    /// Whether the value is an empty list.
    pub fn is_empty_list(&self) -> bool {
        let inside = self
            .raw
            .get()
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        inside.is_some_and(|inside| inside.trim_ascii().is_empty())
    }

    /// Whether the value is a JSON text.
    pub fn is_text(&self) -> bool {
        self.raw.get().starts_with('"')
    }

    /// Whether the value is a JSON object.
    pub fn is_object(&self) -> bool {
        self.raw.get().starts_with('{')
    }

    /// The text, when the value is one.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        self.raw.text()
    }

    /// What `parse` makes of the text; anything else, or another value, is a problem.
    pub fn parsed<T>(
        self,
        expected: &'static str,
        hint: Option<&'static str>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = self.text().and_then(|text| parse(&text));
        if parsed.is_none() {
            self.report(expected.into(), hint.map(Words::from));
        }
        parsed
    }
}

/// The largest integer that survives a protobuf Struct, whose numbers are doubles.
pub(crate) const LARGEST_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Reads a whole number in a range. `1.0` is `1`: Istio re-spells numbers on their way to the proxy.
#[inline(never)]
pub(crate) fn whole(node: Node<'_, '_>, least: u32, most: u32) -> Option<u32> {
    let expected = format!("a whole number from {least} to {most}");
    match node.raw.number() {
        Some(number) if number.abs() > LARGEST_INTEGER => node.refuse_with(
            expected,
            "integers above 2^53 change on their way to the proxy",
        ),
        Some(number)
            if number.fract() == 0.0 && (f64::from(least)..=f64::from(most)).contains(&number) =>
        {
            // In range and without a fraction, so the cast is exact.
            Some(number as u32)
        }
        _ => node.refuse(expected),
    }
}

/// An object being read, field by field.
pub(crate) struct Fields<'a, 'p> {
    pub path: Path<'p>,
    pub problems: &'p mut Problems,
    quiet: bool,
    left: Vec<(Cow<'a, str>, Raw<'a>)>,
    known: Vec<&'static str>,
    /// Those of them that are there.
    there: Vec<&'static str>,
    /// Whether a field stands there twice.
    twice: bool,
    /// Fields that are missing, each with the place of its problem.
    absent: Vec<(&'static str, usize)>,
}

impl<'a, 'p> Fields<'a, 'p> {
    /// Opens an object; a name that stands twice is a problem.
    #[inline(never)]
    pub fn open(node: Node<'a, 'p>) -> Option<Self> {
        let Some(left) = node.raw.members() else {
            return node.refuse("an object");
        };
        let mut twice = false;
        let names = left.iter().zip(0usize..);
        let names = names.map(|((name, _), index)| (&**name, index));
        for pair in sorted(names.collect()).windows(2) {
            if let [(name, _), (other, _)] = pair
                && name == other
            {
                twice = true;
                if node.problems.passes_over() {
                    continue;
                }
                let name = shown(name);
                let path = Path::Field(&node.path, &name);
                node.problems
                    .push(ConfigError::new(path, "the field twice", "it once"));
            }
        }
        Some(Self {
            path: node.path,
            problems: node.problems,
            quiet: node.quiet,
            left,
            known: Vec::new(),
            there: Vec::new(),
            twice,
            absent: Vec::new(),
        })
    }

    /// The raw value of a field, which counts as read.
    #[inline(never)]
    pub fn raw(&mut self, name: &'static str) -> Option<Raw<'a>> {
        self.later(name);
        let index = self.left.iter().position(|(field, _)| *field == name)?;
        Some(self.left.remove(index).1)
    }

    /// Reads a field by `read`; `None` when it is absent or has a problem.
    pub fn with<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Node<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        read(self.node(name)?)
    }

    /// A field as a value to read.
    #[inline(never)]
    fn node(&mut self, name: &'static str) -> Option<Node<'a, '_>> {
        Some(Node {
            raw: self.raw(name)?,
            path: Path::Field(&self.path, name),
            problems: self.problems,
            quiet: self.quiet,
        })
    }

    /// Reads a field that may be absent.
    pub fn optional<K: Kind>(&mut self, name: &'static str) -> Given<Option<K::Value>> {
        let is_there = self.is_there(name);
        let before = self.problems.count();
        let value = self.with(name, K::read);
        Given {
            value,
            is_there,
            is_whole: self.problems.count() == before,
        }
    }

    /// Reads a field; its absence is a problem, with what was expected and a hint where those are given.
    pub fn required<K: Kind>(
        &mut self,
        name: &'static str,
        absence: Option<(&'static str, &'static str)>,
    ) -> Given<Option<K::Value>> {
        self.must_have(name, absence);
        let given = self.optional::<K>(name);
        Given {
            is_whole: given.is_whole && given.is_there,
            ..given
        }
    }

    /// Reads a field that has a default.
    pub fn or<K: Kind>(&mut self, name: &'static str, default: K::Value) -> Given<K::Value> {
        let given = self.optional::<K>(name);
        Given {
            value: given.value.unwrap_or(default),
            is_there: given.is_there,
            is_whole: given.is_whole,
        }
    }

    /// A field that the caller reads when others are read.
    pub fn later(&mut self, name: &'static str) {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
    }

    #[inline(never)]
    fn is_there(&mut self, name: &'static str) -> bool {
        let is_there = self.has(name);
        if is_there {
            self.there.push(name);
        }
        is_there
    }

    /// Reads a field by `read`; its absence is a problem.
    pub fn required_with<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Node<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        self.must_have(name, None);
        self.with(name, read)
    }

    /// Reports that none of some fields is there.
    #[inline(never)]
    pub fn any_of(&mut self, names: &[&'static str]) {
        if names.iter().any(|name| self.there.contains(name)) {
            return;
        }
        self.absent(names, none_of(names), "at least one of them", None);
    }

    /// Reports that not exactly one of some fields is there.
    #[inline(never)]
    pub fn one_of(&mut self, names: &[&'static str]) {
        let there = names.iter().filter(|name| self.there.contains(name));
        match there.copied().collect::<Vec<_>>().as_slice() {
            [_] => {}
            [] => self.absent(names, none_of(names), "one of them", None),
            several @ [first, ..] => {
                let found = several.iter().map(|name| format!("`{name}`"));
                let found = found.collect::<Vec<_>>().join(" and ");
                self.problem(first, found, "one of them");
            }
        }
    }

    #[inline(never)]
    fn must_have(&mut self, name: &'static str, absence: Option<(&'static str, &'static str)>) {
        if !self.has(name) {
            let expected =
                absence.map_or("the field, which has no default", |(expected, _)| expected);
            self.absent(&[name], "nothing", expected, absence.map(|(_, hint)| hint));
        }
    }

    /// Reports that none of some fields is there. It is taken back where an unknown field turns out to be a slip of one of them: that is one mistake.
    #[inline(never)]
    pub fn absent(
        &mut self,
        names: &[&'static str],
        found: impl Into<Words>,
        expected: impl Into<Words>,
        hint: Option<&str>,
    ) {
        let place = self.problems.count();
        self.absent.extend(names.iter().map(|name| (*name, place)));
        if let Some(first) = names.first() {
            self.problem_with(first, found, expected, hint);
        }
    }

    /// Whether a field that was not read yet is there.
    #[inline(never)]
    pub fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(field, _)| *field == name)
    }

    /// Reports a problem of a field.
    pub fn problem(&mut self, field: &str, found: impl Into<Words>, expected: impl Into<Words>) {
        self.note(field, found.into(), expected.into(), None);
    }

    /// As [`Fields::problem`], with a hint.
    pub fn problem_with(
        &mut self,
        field: &str,
        found: impl Into<Words>,
        expected: impl Into<Words>,
        hint: Option<&str>,
    ) {
        self.note(field, found.into(), expected.into(), hint);
    }

    #[inline(never)]
    fn note(&mut self, field: &str, found: Words, expected: Words, hint: Option<&str>) {
        let path = Path::Field(&self.path, field);
        let mut problem = ConfigError::new(path, found, expected);
        problem.hint = hint.map(str::to_owned);
        self.problems.push(problem);
    }

    /// Reports unknown fields; true when there is none, and no field twice.
    #[inline(never)]
    pub fn finish(self) -> bool {
        let mut is_whole = !self.twice;
        let mut slips = Vec::new();
        for (name, _) in &self.left {
            if self.known.iter().any(|known| known == name) {
                continue;
            }
            is_whole = false;
            if self.problems.passes_over() {
                continue;
            }
            let field = shown(name);
            let mut problem = ConfigError::new(
                Path::Field(&self.path, &field),
                "an unknown field",
                format!("one of {}", list(&self.known)),
            );
            if let Some(near) = nearest(name, &self.known) {
                problem = problem.hint(format!("did you mean `{near}`?"));
                let slip = self.absent.iter().find(|(absent, _)| *absent == near);
                slips.extend(slip.map(|(_, place)| *place));
            }
            self.problems.push(problem);
        }
        // From the last, so that the places before it still hold.
        let mut slips = sorted(slips);
        slips.dedup();
        for place in slips.into_iter().rev() {
            self.problems.remove(place);
        }
        is_whole
    }
}

/// As in "none of `a`, `b` and `c`".
fn none_of(names: &[&str]) -> String {
    match names {
        [one, other] => format!("neither `{one}` nor `{other}`"),
        [rest @ .., last] => format!("none of {} and `{last}`", list(rest)),
        [] => String::new(),
    }
}

/// Names in backticks, with commas.
pub(crate) fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Reads one of a closed list of names.
pub(crate) fn choice<T: Copy>(node: Node<'_, '_>, names: &[(&'static str, T)]) -> Option<T> {
    let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    let (_, value) = names.get(chosen(node, &known)?)?;
    Some(*value)
}

/// The index of the name that stands there.
#[inline(never)]
fn chosen(node: Node<'_, '_>, known: &[&str]) -> Option<usize> {
    let text = node.text();
    let found = known.iter().position(|name| Some(*name) == text.as_deref());
    if found.is_some() {
        return found;
    }
    if node.problems.passes_over() {
        return None;
    }
    let expected = format!("one of {}", list(known));
    match text.as_deref().and_then(|text| nearest(text, known)) {
        Some(near) => node.refuse_with(expected, format!("did you mean `{near}`?")),
        None => node.refuse(expected),
    }
}

/// A short description of a value for a message: its kind, and its text when that is short.
pub(crate) fn describe(raw: Raw<'_>) -> String {
    match raw.get().as_bytes().first() {
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "a list".to_owned(),
        Some(b'n') => "nothing (null)".to_owned(),
        Some(b'"') => match raw.text() {
            Some(text) if text.is_empty() => "an empty text".to_owned(),
            Some(text) => format!("`{}`", shown(&text)),
            None => "a text".to_owned(),
        },
        _ => format!("`{}`", shown(raw.get())),
    }
}

/// The start of a text for a message; nothing of one that could be a token (`eyJ` is `{"` in base64), a key in PEM or, in base64, a key or a secret.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.contains("eyJ") || text.contains("-----BEGIN") || is_random(text) {
        return "… (a token or a key)".to_owned();
    }
    let mut cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// Whether 24 letters of both cases and digits stand in a row: no name has so many.
fn is_random(text: &str) -> bool {
    let (mut length, mut kinds) = (0, 0);
    text.bytes().any(|byte| {
        let kind = match byte {
            b'0'..=b'9' => 1,
            b'A'..=b'Z' => 2,
            b'a'..=b'z' => 4,
            _ => {
                (length, kinds) = (0, 0);
                return false;
            }
        };
        length += 1;
        kinds |= kind;
        length >= 24 && kinds == 7
    })
}

/// The known name that `name` is a slip of, if it is one: the same but for case, or at most two letters away.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    #[cfg(test)]
    tests::COMPARED.set(tests::COMPARED.get() + 1);
    known
        .iter()
        // So many letters at least are missing or too many.
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= 2)
        .map(|candidate| {
            (
                distance(&name.to_ascii_lowercase(), &candidate.to_ascii_lowercase()),
                *candidate,
            )
        })
        .min()
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in bytes, for short names.
fn distance(left: &str, right: &str) -> usize {
    let right = right.as_bytes();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.bytes().enumerate() {
        let mut next = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let at =
                |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let swap = at(&row, j) + usize::from(l != *r);
            next.push(swap.min(at(&row, j + 1) + 1).min(at(&next, j) + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    thread_local! {
        /// How often a name was compared with those that are known.
        pub static COMPARED: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn the_distance_counts_letters_that_are_put_in_taken_out_or_changed() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "", 2),
            ("kitten", "sitting", 3),
            ("trusts", "trust", 1),
            ("trust", "xtrust", 1),
            ("trsut", "trust", 2),
        ] {
            assert_eq!(super::distance(left, right), expected, "{left} {right}");
        }
    }
}

//! The language, written once: each kind of value says how it is read and how it is described; objects and lists of names are tables.

use std::marker::PhantomData;
use std::time::Duration;

use serde_json::{Value, json};

use crate::spec::describe::{Definitions, Described};
use crate::spec::read::{Node, choice, whole};

/// What may stand at some place of a policy.
pub(crate) trait Kind {
    /// What it is read into.
    type Value;

    /// Reads it; `None` means that a problem was reported.
    fn read(node: Node<'_, '_>) -> Option<Self::Value>;

    /// Its JSON Schema, and its words in the reference.
    fn describe(definitions: &mut Definitions) -> Described;
}

/// A kind of value that fields have defaults of.
pub(crate) trait Written: Kind {
    /// A value as it is written in a policy.
    fn written(value: &Self::Value) -> Value;
}

/// A field of an object, as it was read.
pub(crate) struct Given<V> {
    /// The value, or the default of one that is absent or wrong.
    pub value: V,
    /// Whether the field is there at all.
    pub is_there: bool,
    /// Whether there is no problem with it; else what it means together with others says nothing.
    pub is_whole: bool,
}

/// Defines an enum that is written as one of its names.
macro_rules! names {
    (
        $(#[doc = $about:expr])+
        $visibility:vis $kind:ident { $($(#[doc = $doc:expr])+ $name:ident,)+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $kind { $($(#[doc = $doc])+ $name,)+ }

        impl $kind {
            const NAMES: &[(&'static str, Self)] = &[$((stringify!($name), Self::$name)),+];
        }

        impl $crate::spec::kind::Kind for $kind {
            type Value = Self;

            fn read(node: $crate::spec::read::Node<'_, '_>) -> Option<Self> {
                $crate::spec::read::choice(node, Self::NAMES)
            }

            fn describe(
                definitions: &mut $crate::spec::describe::Definitions,
            ) -> $crate::spec::describe::Described {
                let names = [$((stringify!($name), [$($doc),+].as_slice())),+];
                definitions.names(stringify!($kind), &[$($about),+], &names)
            }
        }

        impl $crate::spec::kind::Written for $kind {
            fn written(value: &Self) -> serde_json::Value {
                let named = Self::NAMES.iter().find(|(_, known)| known == value);
                named.map(|(name, _)| *name).into()
            }
        }
    };
}
pub(crate) use names;

/// Defines an object by its fields: `"nameInThePolicy" name_here: mode Kind;`, where `mode` says what becomes of a field.
///
/// | mode | |
/// |---|---|
/// | `required` | its absence is a problem; behind `, absent` may stand what was expected, and a hint |
/// | `optional` | it may be absent |
/// | `default` | it may be absent, and is then what stands behind `=` |
/// | `later` | required, and read by hand when the others are read |
///
/// Behind the fields may stand `any of "…" "…";` or `one of "…" "…";`: of these, at least or exactly one must be there; or `schema "keyword" value;` for the JSON Schema alone.
///
/// `FIELDS for KIND -> VALUE` makes `FIELDS`, a struct of what was read, and [`Kind`] for `KIND`: `KIND::build` makes the value of the fields. `FIELDS as NAME` makes the struct alone; `NAME` is
/// what the schema calls it.
///
/// INVARIANT: `build` calls [`crate::spec::read::Fields::finish`]; without it unknown fields would pass.
macro_rules! object {
    (
        $(#[doc = $about:expr])+
        $fields:ident for $kind:ident -> $value:ty { $($body:tt)+ }
    ) => {
        $crate::spec::kind::object! { $(#[doc = $about])+ $fields as $kind { $($body)+ } }

        impl $crate::spec::kind::Kind for $kind {
            type Value = $value;

            fn read(node: $crate::spec::read::Node<'_, '_>) -> Option<$value> {
                let (given, fields) = $fields::open(node)?;
                $kind::build(given, fields)
            }

            fn describe(
                definitions: &mut $crate::spec::describe::Definitions,
            ) -> $crate::spec::describe::Described {
                $fields::describe(definitions)
            }
        }
    };
    (
        $(#[doc = $about:expr])+
        $fields:ident as $name:ident {
            $($(#[doc = $doc:expr])+ $written:literal $field:ident: $mode:ident $of:ty
                $(= $default:expr)? $(, absent $expected:literal $hint:literal)?;)+
            $(any of $($any:literal)+;)?
            $(one of $($one:literal)+;)?
            $(schema $keyword:literal $rest:expr;)?
        }
    ) => {
        $(#[doc = $about])+
        #[allow(dead_code, reason = "some fields are only checked")]
        struct $fields {
            $($(#[doc = $doc])+ $field: $crate::spec::kind::object!(@type $mode $of),)+
        }

        impl $fields {
            fn open<'a, 'p>(
                node: $crate::spec::read::Node<'a, 'p>,
            ) -> Option<(Self, $crate::spec::read::Fields<'a, 'p>)> {
                let mut fields = $crate::spec::read::Fields::open(node)?;
                let given = Self {
                    $($field: $crate::spec::kind::object!(
                        @read fields $written $mode $of $(= $default)? $(, $expected, $hint)?
                    ),)+
                };
                $(fields.any_of(&[$($any),+]);)?
                $(fields.one_of(&[$($one),+]);)?
                Some((given, fields))
            }

            fn describe(
                definitions: &mut $crate::spec::describe::Definitions,
            ) -> $crate::spec::describe::Described {
                // `Kind::describe`, or that of a type of a `later` field which is no `Kind`.
                use $crate::spec::kind::Kind as _;
                let fields = |definitions: &mut $crate::spec::describe::Definitions| {
                    vec![$($crate::spec::describe::Field {
                        name: $written,
                        about: $crate::spec::describe::prose(&[$($doc),+]),
                        is_required: $crate::spec::kind::object!(@required $mode),
                        kind: <$of>::describe(definitions),
                        default: $crate::spec::kind::object!(@default $of $(= $default)?),
                    }),+]
                };
                definitions.object(
                    stringify!($name),
                    &[$($about),+],
                    fields,
                    $crate::spec::describe::Together {
                        any: &[$($($any),+)?],
                        one: &[$($($one),+)?],
                        rest: vec![$(($keyword, $rest))?],
                    },
                )
            }
        }
    };
    (@type default $of:ty) => { $crate::spec::kind::Given<<$of as $crate::spec::kind::Kind>::Value> };
    (@type later $of:ty) => { () };
    (@type $mode:ident $of:ty) => { $crate::spec::kind::Given<Option<<$of as $crate::spec::kind::Kind>::Value>> };
    (@read $fields:ident $written:literal required $of:ty) => { $fields.required::<$of>($written, None) };
    (@read $fields:ident $written:literal required $of:ty, $expected:literal, $hint:literal) => {
        $fields.required::<$of>($written, Some(($expected, $hint)))
    };
    (@read $fields:ident $written:literal optional $of:ty) => { $fields.optional::<$of>($written) };
    (@read $fields:ident $written:literal default $of:ty = $default:expr) => { $fields.or::<$of>($written, $default) };
    (@read $fields:ident $written:literal later $of:ty) => { $fields.later($written) };
    (@required required) => { true };
    (@required later) => { true };
    (@required $mode:ident) => { false };
    (@default $of:ty) => { None };
    (@default $of:ty = $default:expr) => { Some(<$of as $crate::spec::kind::Written>::written(&$default)) };
}
pub(crate) use object;

/// Any text.
pub(crate) struct Text;

impl Kind for Text {
    type Value = String;

    #[inline(never)]
    fn read(node: Node<'_, '_>) -> Option<String> {
        node.parsed("a text", None, |text| Some(text.to_owned()))
    }

    fn describe(_: &mut Definitions) -> Described {
        Described::new(json!({"type": "string"}), "text")
    }
}

impl Written for Text {
    fn written(value: &String) -> Value {
        value.as_str().into()
    }
}

/// A text that is not empty.
pub(crate) struct Name;

impl Kind for Name {
    type Value = String;

    #[inline(never)]
    fn read(node: Node<'_, '_>) -> Option<String> {
        node.parsed("a text that is not empty", None, |text| {
            (!text.is_empty()).then(|| text.to_owned())
        })
    }

    fn describe(_: &mut Definitions) -> Described {
        Described::new(json!({"type": "string", "minLength": 1}), "text")
    }
}

impl Kind for bool {
    type Value = Self;

    #[inline(never)]
    fn read(node: Node<'_, '_>) -> Option<Self> {
        match node.raw.get() {
            "true" => Some(true),
            "false" => Some(false),
            _ => node.refuse("`true` or `false`"),
        }
    }

    fn describe(_: &mut Definitions) -> Described {
        Described::new(json!({"type": "boolean"}), "`true`, `false`")
    }
}

impl Written for bool {
    fn written(value: &Self) -> Value {
        (*value).into()
    }
}

/// A whole number in a range.
pub(crate) struct Whole<const LEAST: u32, const MOST: u32>;

impl<const LEAST: u32, const MOST: u32> Kind for Whole<LEAST, MOST> {
    type Value = u32;

    fn read(node: Node<'_, '_>) -> Option<u32> {
        whole(node, LEAST, MOST)
    }

    fn describe(_: &mut Definitions) -> Described {
        Described::new(
            json!({"type": "integer", "minimum": LEAST, "maximum": MOST}),
            format!("{LEAST}–{MOST}"),
        )
    }
}

impl<const LEAST: u32, const MOST: u32> Written for Whole<LEAST, MOST> {
    fn written(value: &u32) -> Value {
        (*value).into()
    }
}

/// A number and a unit, as in `90s`, `5m`, `1h` or `2d`, in a range of seconds.
pub(crate) struct Seconds<const LEAST: u64, const MOST: u64>;

impl<const LEAST: u64, const MOST: u64> Kind for Seconds<LEAST, MOST> {
    type Value = Duration;

    fn read(node: Node<'_, '_>) -> Option<Duration> {
        crate::spec::leaves::duration(node, LEAST, MOST)
    }

    fn describe(_: &mut Definitions) -> Described {
        // In the largest unit that says it whole.
        let spelled = |seconds: u64| {
            let units = [("d", 86400), ("m", 60)];
            let unit = units
                .iter()
                .find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit));
            unit.map_or_else(
                || format!("{seconds}s"),
                |(name, unit)| format!("{}{name}", seconds / unit),
            )
        };
        Described::new(
            json!({"type": "string", "pattern": "^[0-9]+[smhd]$"}),
            format!("duration, `{}` to `{}`", spelled(LEAST), spelled(MOST)),
        )
    }
}

impl<const LEAST: u64, const MOST: u64> Written for Seconds<LEAST, MOST> {
    fn written(value: &Duration) -> Value {
        format!("{}s", value.as_secs()).into()
    }
}

/// A list, which may be empty.
pub(crate) struct List<K>(PhantomData<K>);

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn read(node: Node<'_, '_>) -> Option<Self::Value> {
        node.items(K::read)
    }

    fn describe(definitions: &mut Definitions) -> Described {
        K::describe(definitions).listed(0)
    }
}

/// A list that may be absent, but not empty. Many lists mean "any" when they are absent, and an empty one could be taken for "any" or "none".
pub(crate) struct NonEmpty<K>(PhantomData<K>);

impl<K: Kind> Kind for NonEmpty<K> {
    type Value = Vec<K::Value>;

    fn read(node: Node<'_, '_>) -> Option<Self::Value> {
        if node.is_empty_list() {
            return node.refuse_as("an empty list", "at least one entry, or no such field");
        }
        node.items(K::read)
    }

    fn describe(definitions: &mut Definitions) -> Described {
        K::describe(definitions).listed(1)
    }
}

/// As [`NonEmpty`], for a field that is required.
pub(crate) struct AtLeastOne<K>(PhantomData<K>);

impl<K: Kind> Kind for AtLeastOne<K> {
    type Value = Vec<K::Value>;

    fn read(node: Node<'_, '_>) -> Option<Self::Value> {
        if node.is_empty_list() {
            node.refuse_as::<()>("an empty list", "at least one entry");
            // What the other fields say is checked all the same.
            return Some(Vec::new());
        }
        node.items(K::read)
    }

    fn describe(definitions: &mut Definitions) -> Described {
        K::describe(definitions).listed(1)
    }
}

/// An object that others read.
pub(crate) struct Foreign;

impl Kind for Foreign {
    type Value = ();

    fn read(node: Node<'_, '_>) -> Option<()> {
        if node.is_object() {
            return Some(());
        }
        node.refuse("an object")
    }

    fn describe(_: &mut Definitions) -> Described {
        Described::new(json!({"type": "object"}), "object")
    }
}

/// One text and no other.
pub(crate) fn constant(node: Node<'_, '_>, text: &'static str) -> Option<()> {
    choice(node, &[(text, ())])
}

//! What changes? Header names, what is stripped, and edits as data.

pub(crate) mod bytes;
mod edit;
mod names;
mod strip;

pub(crate) use edit::apply;
pub use edit::{Edit, HeaderList};
pub(crate) use names::{is_odd, plain_name, same_header, spelled};
pub(crate) use strip::Strip;

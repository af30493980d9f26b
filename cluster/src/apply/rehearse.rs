//! What a whole set of objects would become. Rehearsals don't need each other, so many run at once.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use mesh::object::Object;

use super::{Applied, ApplyMode, Conflicts, apply};
use crate::connect::Connection;
use crate::error::ClusterError;

/// Rehearsals on their way at once.
const AT_ONCE: usize = 8;

/// A dry run of each object, in the given order of the objects.
///
/// # Errors
/// The first failure, as of [`apply`].
pub async fn rehearse(
    connection: &Connection,
    objects: &[Object],
    conflicts: Conflicts,
) -> Result<Vec<Applied>, ClusterError> {
    let all = objects
        .iter()
        .map(|object| apply(connection, object, ApplyMode::DryRun, conflicts));
    stream::iter(all).buffered(AT_ONCE).try_collect().await
}

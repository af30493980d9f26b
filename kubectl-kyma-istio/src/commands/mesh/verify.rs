//! `verify`: the five criteria, on any Istio.

use std::time::{Duration, Instant};

use cluster::connect::Connection;
use cluster::observe::observe;
use cluster::probe::probe;
use mesh::criteria::{Required, judge};
use mesh::observed::Version;
use mesh::versions::versions;

use super::filter::looking::gauge;
use super::runtime;
use crate::cli::Verify;
use crate::error::Error;
use crate::report::{MeshBody, Report, Verified};

/// Between two looks while something may still settle.
const PAUSE: Duration = Duration::from_secs(1);

pub fn run(arguments: &Verify) -> Result<Report, Error> {
    let version = arguments.required.unwrap_or(versions().istio.default);
    let required = of_release(version)?;
    let verified = runtime::block_on(async {
        let connection = runtime::reader(&arguments.connection).await?;
        judged(&connection, &required).await
    })?;
    Ok(Report::new(arguments.output, MeshBody::Verified(verified)))
}

/// A release as criteria compare it.
pub fn of_release(version: mesh::versions::Version) -> Result<Version, Error> {
    Version::parse(&version.to_string())
        .ok_or_else(|| Error::input(format!("`{version}` is no Istio version")))
}

/// One look and its verdict.
pub async fn judged(connection: &Connection, version: &Version) -> Result<Verified, Error> {
    let (observed, probes) = tokio::join!(observe(connection), probe(connection, &gauge));
    let required = Required {
        version: version.clone(),
    };
    let criteria = judge(&observed?, &probes, &required);
    Ok(Verified::new(version.to_string(), criteria))
}

/// As [`judged`], but what isn't met yet is looked at again until the limit: the API server hears of a changed webhook late.
pub async fn settled(
    connection: &Connection,
    version: &Version,
    limit: Duration,
) -> Result<Verified, Error> {
    let end = Instant::now() + limit;
    loop {
        let verified = judged(connection, version).await?;
        if verified.met || Instant::now() >= end {
            return Ok(verified);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

//! `filter status` and `filter list`: what runs, as each proxy's filter says itself.

use cluster::connect::Connection;

use super::super::runtime;
use super::looking;
use crate::cli::FilterStatus;
use crate::error::Error;
use crate::report::{MeshBody, Policies, Report};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// A line for each policy.
    Policies,
    /// A line for each proxy.
    Proxies,
}

pub fn run(arguments: &FilterStatus, detail: Detail) -> Result<Report, Error> {
    let policies = runtime::block_on(async {
        let connection = runtime::reader(&arguments.connection).await?;
        look(&connection, arguments).await
    })?;
    let policies = Policies {
        policies,
        in_detail: detail == Detail::Proxies,
    };
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Policies(policies),
    ))
}

async fn look(
    connection: &Connection,
    arguments: &FilterStatus,
) -> Result<Vec<crate::report::PolicyStatus>, Error> {
    let namespace = arguments.connection.namespace.as_deref();
    let plugins = looking::plugins(connection, arguments.policy.as_deref(), namespace).await?;
    let mut found = Vec::new();
    for plugin in &plugins {
        found.push(looking::status(connection, plugin).await?);
    }
    Ok(found)
}

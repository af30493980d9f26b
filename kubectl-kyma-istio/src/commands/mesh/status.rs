//! `status`: one screen.

use cluster::error::ClusterError;
use cluster::observe::observe;
use mesh::status::summary;

use super::runtime;
use crate::cli::Status;
use crate::error::Error;
use crate::report::{MeshBody, Report, Screen};

pub fn run(arguments: &Status) -> Result<Report, Error> {
    let screen = runtime::block_on(async {
        let connection = runtime::reader(&arguments.connection).await?;
        let observed = observe(&connection).await?;
        if observed.is_forbidden("deployments.apps") {
            // "No Istio" would be a guess.
            return Err(ClusterError::Forbidden {
                verb: "list",
                resource: "deployments.apps".to_owned(),
                namespace: None,
                cause: "without it nobody sees whether there is an Istio".to_owned(),
            }
            .into());
        }
        Ok(Screen {
            context: connection.context.clone(),
            server: connection.server.clone(),
            kubernetes: connection.version.to_string(),
            status: summary(&observed),
        })
    })?;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Status(Box::new(screen)),
    ))
}

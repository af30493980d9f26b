//! `upgrade`: an installation of another version over the one that runs, and what sidecars run afterwards.

use std::io::BufRead;

use cluster::observe::observe;
use mesh::plan::{Answers, upgradable};
use mesh::status::summary;

use super::given;
use super::install::{UPGRADE, Work};
use super::runtime;
use crate::cli::Upgrade;
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{MeshBody, Report, Upgraded};

pub fn run(
    arguments: &Upgrade,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let arguments = &arguments.install;
    let given = given::read(&arguments.inputs, stdin)?;
    let upgraded = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, arguments.dry_run).await?;
        // Before anything is rendered: istioctl of the wanted version may have to be fetched.
        let before = observe(&connection).await?;
        let answers = Answers {
            take_ownership: arguments.consent.take_ownership,
            accept_strict: arguments.consent.accept_strict,
            only_shows: false,
        };
        let gates = upgradable(&before, &given.version.to_string(), answers);
        if !gates.is_empty() {
            return Err(Error::from(gates));
        }
        let work = Work::new(&connection, arguments, &given, UPGRADE);
        let installed = work.install(stdin, printer).await?;
        let now = match installed.written.is_empty() {
            true => summary(&before),
            false => summary(&observe(&connection).await?),
        };
        Ok(Upgraded::new(
            &summary(&before),
            now.data_plane,
            given.version,
            installed,
        ))
    })?;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Upgraded(Box::new(upgraded)),
    ))
}

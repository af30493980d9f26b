//! `diff`: what `install` would change, and what that does.

use std::io::BufRead;

use mesh::plan::{Answers, Plan, Skip, install};

use super::given::{self, Given};
use super::prepare::{self, Memory, Purpose};
use super::rehearse::{self, rehearse};
use super::{external_diff, runtime};
use crate::cli::{self, Form};
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{Diff, MeshBody, Report};

pub fn run(
    arguments: &cli::Diff,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let given = given::read(&arguments.inputs, stdin)?;
    let diff = runtime::block_on(differences(arguments, &given, printer))?;
    Ok(Report::new(arguments.output.form, MeshBody::Diff(diff)))
}

async fn differences(
    arguments: &cli::Diff,
    given: &Given,
    printer: &mut Printer<'_>,
) -> Result<Diff, Error> {
    let connection = runtime::reader(&arguments.connection).await?;
    if !given.wishes().install {
        return Ok(nothing(connection.context));
    }
    let prepared = prepare::prepare(
        &connection,
        &arguments.inputs,
        given,
        Purpose::Show,
        &mut Memory::default(),
        printer,
    )
    .await?;
    let observed = &prepared.observed;
    // What STRICT takes is told as warnings; nothing is done here that needs a yes.
    let answers = Answers {
        take_ownership: arguments.consent.take_ownership,
        accept_strict: true,
        only_shows: true,
    };
    let plan = install(observed, &prepared.wanted, &answers).map_err(Error::from)?;
    let conflicts = rehearse::conflicts(arguments.consent.force_conflicts);
    let rehearsed = rehearse(&connection, plan, conflicts, observed).await?;
    rehearsed.notes.iter().for_each(|note| printer.story(note));
    let external = match arguments.output.form {
        Form::Table => external_diff::run(&rehearsed.objects)?,
        Form::Json | Form::Yaml => None,
    };
    let Plan {
        skips,
        consequences,
        warnings,
        ..
    } = rehearsed.plan;
    Ok(Diff {
        context: connection.context,
        objects: rehearse::shown(&rehearsed.objects, observed),
        consequences,
        skips,
        warnings,
        external,
    })
}

fn nothing(context: String) -> Diff {
    Diff {
        context,
        objects: Vec::new(),
        consequences: Vec::new(),
        skips: vec![Skip {
            what: "Istio is not installed".to_owned(),
            why: "the Installation has no component `istio`".to_owned(),
        }],
        warnings: Vec::new(),
        external: None,
    }
}

//! `render`: what `install` would apply, without a cluster.

use std::io::BufRead;

use cluster::observe::observe;
use mesh::compose;
use serde_json::Value;

use super::decide::{self, Decided};
use super::given::{self, Given};
use super::told::told;
use super::{rendering, runtime};
use crate::cli::{Form, Render, RenderForm};
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{MeshBody, Origins, Rendered, Report, ReportForm};

pub fn run(
    arguments: &Render,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let given = given::read(&arguments.inputs, stdin)?;
    runtime::block_on(render(arguments, &given, printer))
}

async fn render(
    arguments: &Render,
    given: &Given,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let flags = &arguments.inputs;
    if !given.wishes().install {
        printer.story("the Installation has no component `istio`: nothing is rendered");
    }
    // With a profile the answer depends on the arguments alone, unless they name a cluster.
    let asks = flags.profile.is_none() || arguments.connection.names_a_cluster();
    let observed = match asks {
        true => {
            if flags.profile.is_none() {
                printer.story("no `--profile`: asking the cluster's nodes");
            }
            let connection = runtime::reader(&arguments.connection).await?;
            Some(observe(&connection).await?)
        }
        false => None,
    };
    let decided = decide::decide(flags, given, observed.as_ref())?;
    decided.notes.iter().for_each(|note| printer.story(note));
    let form = match arguments.output {
        RenderForm::Yaml => Form::Yaml,
        RenderForm::Json => Form::Json,
    };
    if arguments.explain {
        let form = match arguments.output {
            RenderForm::Yaml => ReportForm::Table,
            RenderForm::Json => ReportForm::Json,
        };
        return Ok(Report::new(
            form,
            MeshBody::Origins(Origins::of(&decided.composed)),
        ));
    }
    if arguments.operator {
        let rendered = Rendered::operator(decided.composed.operator);
        return Ok(Report::new(form, MeshBody::Rendered(rendered)));
    }
    let manifests = match given.wishes().install {
        false => String::new(),
        true => {
            told(printer, async |told| {
                let found = rendering::find(&flags.istioctl, given.version).await;
                let istioctl =
                    rendering::found_or_downloaded(found, &flags.istioctl, given.version, told)
                        .await?;
                rendering::generate(&istioctl, &decided.composed, &flags.istioctl, told).await
            })
            .await?
        }
    };
    let (before, behind) = match given.wishes().install {
        true => around(&decided),
        false => Default::default(),
    };
    Ok(Report::new(
        form,
        MeshBody::Rendered(Rendered {
            manifests,
            before,
            behind,
        }),
    ))
}

/// What Kyma adds: what others need, and what needs Istio's CRDs.
fn around(decided: &Decided) -> (Vec<Value>, Vec<Value>) {
    compose::extras(&decided.inputs)
        .into_iter()
        .partition(|object| matches!(object["kind"].as_str(), Some("Namespace" | "PriorityClass")))
}

//! What `install` needs a yes for.

use std::io::BufRead;

use cluster::connect::Connection;
use mesh::codes::Code;
use mesh::plan::{self, Answers, Gate, Plan};
use mesh::strict::{StrictReport, without_sidecar};

use super::super::prepare::Prepared;
use crate::cli::Install;
use crate::error::{Error, exit};
use crate::printer::{Printer, Style, Text};

/// The plan; where only STRICT stands in the way, the user is asked.
pub fn plan(
    prepared: &Prepared,
    answers: Answers,
    arguments: &Install,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Plan, Error> {
    let gates = match plan::install(&prepared.observed, &prepared.wanted, &answers) {
        Ok(plan) => return Ok(plan),
        Err(gates) => gates,
    };
    let is_strict = |gate: &Gate| gate.code == Code::StrictNeedsAcceptance;
    if !gates.iter().any(is_strict) {
        return Err(Error::Gates(gates));
    }
    let report = without_sidecar(&prepared.observed);
    printer.tell(|text| show(&report, text));
    let may_ask = gates.iter().all(is_strict) && can_ask(arguments, printer);
    if !may_ask || !printer.confirm("Make mutual TLS STRICT all the same?", stdin) {
        return Err(Error::Gates(gates));
    }
    let answers = Answers {
        accept_strict: true,
        ..answers
    };
    plan::install(&prepared.observed, &prepared.wanted, &answers).map_err(Error::Gates)
}

/// Asks whether to write. Without a terminal nobody is asked, and nothing is written.
pub fn confirm(
    connection: &Connection,
    arguments: &Install,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<(), Error> {
    if arguments.yes {
        return Ok(());
    }
    if !can_ask(arguments, printer) {
        return Err(Error::NotConfirmed {
            what: "nobody can be asked for a yes: no terminal, or stdin is a file to read",
            hint: "look at the plan with `--dry-run`, then run it with `--yes`",
            code: exit::INVALID,
        });
    }
    let question = format!(
        "Do this to context `{}` ({})?",
        connection.context, connection.server
    );
    match printer.confirm(&question, stdin) {
        true => Ok(()),
        false => Err(Error::NotConfirmed {
            what: "you said no: nothing was written",
            hint: "`--dry-run` shows the plan with every change",
            code: exit::REFUSED,
        }),
    }
}

/// A file that came by stdin leaves nothing to answer with.
fn can_ask(arguments: &Install, printer: &Printer<'_>) -> bool {
    let reads_stdin = |file: &std::path::PathBuf| file.as_os_str() == "-";
    printer.is_interactive() && !arguments.yes && !arguments.inputs.files.iter().any(reads_stdin)
}

fn show(report: &StrictReport, text: &mut Text) {
    let heading = text.styled(Style::Strong, "STRICT mutual TLS would change:");
    text.line(format_args!("{heading}"));
    for bare in &report.workloads {
        let owner = &bare.workload;
        text.line(format_args!(
            "  {} {}/{} ({} pods): {}; {}",
            owner.kind, owner.namespace, owner.name, bare.pods, bare.why, bare.loses
        ));
    }
    for policy in &report.policies {
        text.line(format_args!("  {policy}"));
    }
    for plain in &report.rules {
        text.line(format_args!(
            "  {} sends plain text to {} ({})",
            plain.rule,
            plain.services.join(", "),
            plain.path
        ));
    }
    for unseen in &report.not_seen {
        let label = text.styled(Style::Faint, "not seen:");
        text.line(format_args!("  {label} {unseen}"));
    }
}

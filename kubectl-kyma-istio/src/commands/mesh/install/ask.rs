//! What `install` needs a yes for.

use std::io::BufRead;

use mesh::codes::Code;
use mesh::plan::{self, Answers, Gate, Plan};
use mesh::strict::{StrictReport, without_sidecar};

use super::super::operation::Operation;
use super::super::prepare::Prepared;
use crate::error::Error;
use crate::printer::{Printer, Style, Text};
use crate::report::count;

/// The plan; where only STRICT stands in the way, the user is asked, and a yes is kept in `answers`.
pub fn plan(
    prepared: &Prepared,
    answers: &mut Answers,
    operation: &Operation,
    stdin: Option<&mut dyn BufRead>,
    printer: &mut Printer<'_>,
) -> Result<Plan, Error> {
    let gates = match plan::install(&prepared.observed, &prepared.wanted, answers) {
        Ok(plan) => return Ok(plan),
        Err(gates) => gates,
    };
    let is_strict = |gate: &Gate| gate.code == Code::StrictNeedsAcceptance;
    if !gates.iter().any(is_strict) {
        return Err(Error::from(gates));
    }
    let report = without_sidecar(&prepared.observed);
    printer.tell(|text| show(&report, text));
    let may_ask = gates.iter().all(is_strict) && operation.can_ask(printer);
    let Some(stdin) = stdin.filter(|_| may_ask) else {
        return Err(Error::from(gates));
    };
    if !printer.confirm("Make mutual TLS STRICT all the same?", stdin) {
        return Err(Error::from(gates));
    }
    answers.accept_strict = true;
    plan::install(&prepared.observed, &prepared.wanted, answers).map_err(Error::from)
}

fn show(report: &StrictReport, text: &mut Text) {
    let heading = text.styled(Style::Strong, "STRICT mutual TLS would change:");
    text.line(format_args!("{heading}"));
    for bare in &report.workloads {
        let owner = &bare.workload;
        text.line(format_args!(
            "  {} {}/{} ({}): {}; {}",
            owner.kind,
            owner.namespace,
            owner.name,
            count(bare.pods, "pod"),
            bare.why,
            bare.loses
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

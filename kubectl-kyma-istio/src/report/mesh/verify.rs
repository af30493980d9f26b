//! What `verify` answers.

use mesh::criteria::Criterion;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use crate::printer::{Style, Text};

/// The criteria, judged.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// Are all met?
    pub met: bool,
    /// The version that was required.
    pub version: String,
    pub criteria: Vec<Criterion>,
}

impl Verified {
    pub fn new(version: String, criteria: Vec<Criterion>) -> Self {
        Self {
            met: criteria.iter().all(|criterion| criterion.met),
            version,
            criteria,
        }
    }

    pub fn human(&self, text: &mut Text) {
        for criterion in &self.criteria {
            let mark = match criterion.met {
                true => text.styled(Style::Good, "met    "),
                false => text.styled(Style::Bad, "NOT MET"),
            };
            text.line(format_args!(
                "{mark}  {}  {}",
                criterion.code, criterion.name
            ));
            for line in &criterion.evidence {
                text.line(format_args!("           {line}"));
            }
            if let Some(fix) = &criterion.fix {
                let label = text.styled(Style::Faint, "fix:");
                for (number, line) in fix.lines().enumerate() {
                    let label = if number == 0 { &label } else { "    " };
                    text.line(format_args!("           {label} {line}"));
                }
            }
        }
        text.line(format_args!("{}", self.summary()));
    }

    /// One line: how many, and which not.
    pub fn summary(&self) -> String {
        let total = self.criteria.len();
        let missed: Vec<&str> = self
            .criteria
            .iter()
            .filter(|criterion| !criterion.met)
            .map(|criterion| criterion.name)
            .collect();
        match missed.len() {
            0 => format!("all {total} criteria are met"),
            n => format!("{n} of {total} criteria not met: {}", missed.join(", ")),
        }
    }

    /// One case a criterion.
    pub fn junit(&self) -> Report {
        let mut suite = TestSuite::new("verify");
        for criterion in &self.criteria {
            let mut status = match criterion.met {
                true => TestCaseStatus::success(),
                false => TestCaseStatus::non_success(NonSuccessKind::Failure),
            };
            if !criterion.met {
                let evidence = criterion.evidence.iter().chain(&criterion.fix);
                status
                    .set_message(criterion.code.to_string())
                    .set_description(evidence.cloned().collect::<Vec<_>>().join("\n"));
            }
            let mut case = TestCase::new(criterion.name, status);
            case.set_classname(criterion.code.id());
            suite.add_test_case(case);
        }
        let mut report = Report::new("kubectl kyma-istio verify");
        report.add_test_suite(suite);
        report
    }
}

//! What `check` answers.

use mesh::checks::{Category, Finding, Level};
use mesh::codes::{Code, Guide};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::count;
use crate::printer::{Style, Text};

/// What was found.
#[derive(Debug, Serialize)]
pub struct Checked {
    pub errors: usize,
    pub warnings: usize,
    pub findings: Vec<Finding>,
    /// Which findings may explain which symptom.
    pub causes: Vec<Causes>,
}

/// What may explain a symptom.
#[derive(Debug, Serialize)]
pub struct Causes {
    pub guide: Guide,
    pub symptom: &'static str,
    pub codes: Vec<Code>,
}

impl Checked {
    pub fn new(findings: Vec<Finding>) -> Self {
        let count = |level| findings.iter().filter(|one| one.level == level).count();
        let causes = Guide::ALL.into_iter().filter_map(|guide| {
            let found = mesh::checks::causes(guide, &findings);
            let mut codes: Vec<Code> = found.into_iter().map(|finding| finding.code).collect();
            codes.dedup();
            (!codes.is_empty()).then(|| Causes {
                guide,
                symptom: guide.symptom(),
                codes,
            })
        });
        Self {
            errors: count(Level::Error),
            warnings: count(Level::Warning),
            causes: causes.collect(),
            findings,
        }
    }

    pub fn human(&self, text: &mut Text) {
        let mut category = None;
        for finding in &self.findings {
            if category != Some(finding.category) {
                category = Some(finding.category);
                let heading = text.styled(Style::Strong, title(finding.category));
                text.line(format_args!("{heading}"));
            }
            let mark = match finding.level {
                Level::Ok => text.styled(Style::Good, "ok     "),
                Level::Warning => text.styled(Style::Strong, "warning"),
                Level::Error => text.styled(Style::Bad, "ERROR  "),
            };
            text.line(format_args!("  {mark}  {}  {}", finding.code, finding.what));
            if let Some(hint) = finding.hint.as_ref().filter(|_| finding.level != Level::Ok) {
                let label = text.styled(Style::Faint, "hint:");
                text.line(format_args!("                    {label} {hint}"));
            }
        }
        for cause in &self.causes {
            let codes: Vec<&str> = cause.codes.iter().map(|code| code.id()).collect();
            text.line(format_args!(
                "if {}: look at {}",
                cause.symptom,
                codes.join(", ")
            ));
        }
        text.line(format_args!("{}", self.summary()));
    }

    fn summary(&self) -> String {
        format!(
            "{}: {}, {}",
            count(self.findings.len(), "finding"),
            count(self.errors, "error"),
            count(self.warnings, "warning")
        )
    }

    /// One suite a category, one case a finding. Warnings pass, with what they say as output.
    pub fn junit(&self) -> Report {
        let mut report = Report::new("kubectl kyma-istio check");
        for findings in self.findings.chunk_by(|a, b| a.category == b.category) {
            let Some(first) = findings.first() else {
                continue;
            };
            let mut suite = TestSuite::new(title(first.category));
            for finding in findings {
                let mut status = match finding.level {
                    Level::Error => TestCaseStatus::non_success(NonSuccessKind::Failure),
                    Level::Ok | Level::Warning => TestCaseStatus::success(),
                };
                if finding.level == Level::Error {
                    status
                        .set_message(finding.what.as_str())
                        .set_description(finding.hint.clone().unwrap_or_default());
                }
                let mut case = TestCase::new(format!("{} {}", finding.code, finding.what), status);
                case.set_classname(finding.code.id());
                if finding.level == Level::Warning {
                    case.set_system_out(format!(
                        "warning: {}",
                        finding.hint.as_deref().unwrap_or(&finding.what)
                    ));
                }
                suite.add_test_case(case);
            }
            report.add_test_suite(suite);
        }
        report
    }
}

fn title(category: Category) -> &'static str {
    match category {
        Category::Preflight => "preflight",
        Category::Installation => "installation",
        Category::Proxies => "proxies",
        Category::Strict => "strict",
        Category::Traffic => "traffic",
    }
}

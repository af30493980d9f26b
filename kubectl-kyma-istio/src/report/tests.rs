//! What `filter test` answers.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use crate::printer::{Style, Text};

/// A run of cases.
#[derive(Debug, Default, Serialize)]
pub struct Tests {
    pub passed: usize,
    pub failed: usize,
    /// Cases that name none of the depths that ran.
    pub skipped: usize,
    pub cases: Vec<Tested>,
}

/// One case.
#[derive(Debug, Serialize)]
pub struct Tested {
    pub file: String,
    pub line: u64,
    pub name: String,
    /// Who judged.
    pub engines: Vec<&'static str>,
    /// Each a line; none when it passed.
    pub differences: Vec<String>,
}

impl Tests {
    /// Counts and keeps a case.
    pub fn add(&mut self, tested: Tested) {
        if !tested.differences.is_empty() {
            self.failed += 1;
        } else if tested.engines.is_empty() {
            self.skipped += 1;
        } else {
            self.passed += 1;
        }
        self.cases.push(tested);
    }

    pub fn human(&self, text: &mut Text) {
        let mut file = "";
        for case in &self.cases {
            if case.file != file {
                file = &case.file;
                let heading = text.styled(Style::Strong, file);
                text.line(format_args!("{heading}"));
            }
            let mark = match (case.differences.is_empty(), case.engines.is_empty()) {
                (false, _) => text.styled(Style::Bad, "FAIL"),
                (true, true) => text.styled(Style::Faint, "skip"),
                (true, false) => text.styled(Style::Good, "ok  "),
            };
            text.line(format_args!("  {mark}  {:>4}  {}", case.line, case.name));
            for difference in &case.differences {
                text.line(format_args!("              {difference}"));
            }
        }
        text.line(format_args!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        ));
    }
}

/// The run as JUnit XML, one suite a file.
pub fn junit(tests: &Tests) -> Report {
    let mut report = Report::new("kubectl kyma-istio filter test");
    let mut suite: Option<TestSuite> = None;
    for case in &tests.cases {
        if suite
            .as_ref()
            .is_none_or(|suite| suite.name.as_str() != case.file)
        {
            report.add_test_suites(suite.take());
        }
        suite
            .get_or_insert_with(|| TestSuite::new(case.file.as_str()))
            .add_test_case(junit_case(case));
    }
    report.add_test_suites(suite);
    report
}

fn junit_case(case: &Tested) -> TestCase {
    let mut status = if !case.differences.is_empty() {
        TestCaseStatus::non_success(NonSuccessKind::Failure)
    } else if case.engines.is_empty() {
        TestCaseStatus::skipped()
    } else {
        TestCaseStatus::success()
    };
    if !case.differences.is_empty() {
        status
            .set_message(format!("{}:{}", case.file, case.line))
            .set_description(case.differences.join("\n"));
    }
    let mut junit = TestCase::new(case.name.as_str(), status);
    junit.set_classname(case.file.as_str());
    junit
}

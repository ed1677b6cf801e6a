//! The outcome of a check as `JUnit` XML: one test case per rule and row.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::compare::check::{Check, Outcome, Verdict};

/// Writes the outcome of a check.
///
/// # Errors
/// When `out` cannot be written.
pub fn check(check: &Check, mut out: impl Write) -> io::Result<()> {
    let mut suite = TestSuite::new("sharestat check");
    suite.add_test_cases(check.results.iter().map(case));
    if !check.notes.is_empty() {
        suite.set_system_out(check.notes.join("\n"));
    }
    let mut report = Report::new("sharestat");
    report.add_test_suite(suite);
    report.serialize(&mut out).map_err(io::Error::other)?;
    writeln!(out)
}

fn case(outcome: &Outcome) -> TestCase {
    let mut status = match outcome.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Skip => TestCaseStatus::skipped(),
    };
    status.set_message(outcome.reason.as_str());
    let mut case = TestCase::new(outcome.measure.as_str(), status);
    case.set_classname(outcome.rule.as_str());
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::sample;

    #[test]
    fn rules_are_test_cases_and_names_are_escaped() {
        let document = sample::checked(Some("no <more> & more"));
        let mut out = Vec::new();
        check(&document, &mut out).expect("memory takes everything");
        let text = String::from_utf8(out).expect("text");
        let suite = text.lines().find(|line| line.contains("<testsuite "));
        for count in ["tests=\"3\"", "skipped=\"1\"", "failures=\"1\""] {
            assert!(suite.is_some_and(|suite| suite.contains(count)), "{text}");
        }
        assert!(
            text.contains("classname=\"no &lt;more&gt; &amp; more\""),
            "{text}"
        );
        assert!(text.contains("<failure message=\"8.0 KiB more"), "{text}");
    }
}

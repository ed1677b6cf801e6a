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
    use crate::compare::{check::rule::Rule, sample};

    #[test]
    fn rules_are_test_cases_and_names_are_escaped() {
        let rules = [
            "duplicate,name=no <more> & more,percent=5,bytes=4096",
            "zero,max_bytes=1MiB",
            "image:*,bytes=1",
        ];
        let rules = rules.map(|rule| Rule::parse(rule).expect("valid"));
        let base = sample::report();
        let document = Check::new(&rules, Some(&base), &sample::grown(), &[]);
        let mut out = Vec::new();
        check(&document, &mut out).expect("memory takes everything");
        let text = String::from_utf8(out).expect("text");
        assert!(
            text.contains("tests=\"3\" skipped=\"1\"") || text.contains("skipped=\"1\""),
            "{text}"
        );
        assert!(text.contains("failures=\"1\""), "{text}");
        assert!(
            text.contains("classname=\"no &lt;more&gt; &amp; more\""),
            "{text}"
        );
        assert!(text.contains("<failure message=\"8.0 KiB more"), "{text}");
    }
}

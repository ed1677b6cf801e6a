//! A second try for tests that failed: under emulation, beside another guest, a timer may
//! be late by seconds. One that passes alone counts as passed, and is named with what it
//! said at first; one that fails twice has failed.

use super::failures::{End, Failure};

/// More failures than these are no accident: nothing runs again.
const MOST: usize = 5;

/// What a binary prints whose one test passed.
const ONE_PASSED: &str = "test result: ok. 1 passed;";

/// Whether the failures of one run are worth a second try. Who names tests or options
/// (`arguments`) wants to see each failure, and a binary that died left tests out.
pub(super) fn is_due(failures: &[Failure], failed: u64, arguments: &[String]) -> bool {
    arguments.is_empty()
        && !failures.is_empty()
        && failures.len() <= MOST
        && failures.len() as u64 == failed
        && failures.iter().all(|failure| failure.end == End::Failed)
}

/// Reads the output of one test that runs again.
#[derive(Debug, Default)]
pub(super) struct SecondTry {
    passed: bool,
    skipped: bool,
}

impl SecondTry {
    /// Takes the next line.
    pub(super) fn take(&mut self, line: &str) {
        self.passed |= line.starts_with(ONE_PASSED);
        self.skipped |= line.contains(super::summary::SKIPPED);
    }

    /// What it came to. A test that finds now that it cannot run proves nothing.
    pub(super) fn end(&self) -> End {
        if self.passed && !self.skipped {
            End::Passed
        } else {
            End::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(name: &str) -> Failure {
        Failure {
            end: End::Failed,
            ..Failure::death("truth", name)
        }
    }

    #[test]
    fn few_failures_of_a_whole_run_are_tried_again() {
        let few = [failed("a"), failed("b")];
        assert!(is_due(&few, 2, &[]));
        assert!(!is_due(&few, 2, &["a".to_owned()]), "asked for by name");
        assert!(!is_due(&few, 3, &[]), "one has no name");
        assert!(!is_due(&[], 0, &[]));
        assert!(!is_due(&[Failure::death("truth", "a")], 1, &[]));
        let many = vec![failed("a"); MOST + 1];
        assert!(!is_due(&many, many.len() as u64, &[]));
    }

    #[test]
    fn only_a_test_that_ran_and_passed_has_passed() {
        let end = |text: &str| {
            let mut second = SecondTry::default();
            text.lines().for_each(|line| second.take(line));
            second.end()
        };
        assert_eq!(
            end("running 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored"),
            End::Passed
        );
        assert_eq!(
            end("running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored"),
            End::Failed
        );
        assert_eq!(
            end("test a ... skipped: a: no disk\nok\ntest result: ok. 1 passed; 0 failed"),
            End::Failed
        );
        assert_eq!(end("test result: FAILED. 0 passed; 1 failed"), End::Failed);
    }
}

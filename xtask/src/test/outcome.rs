//! How a ring ended: counts, and what failed by name.

use std::ops::AddAssign;

use super::{
    failures::{End, Failure},
    summary::Tally,
};

/// What a ring, or a part of it, came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// How many tests ended how.
    pub(super) tally: Tally,
    /// Those that failed, at least at first.
    pub(super) failures: Vec<Failure>,
}

impl Outcome {
    /// What came of tests in `place`. Failures that passed on their second try are
    /// counted as such.
    pub(super) fn new(place: &str, mut tally: Tally, mut failures: Vec<Failure>) -> Self {
        for failure in &mut failures {
            place.clone_into(&mut failure.place);
            if failure.end == End::Passed {
                tally.failed = tally.failed.saturating_sub(1);
                tally.passed += 1;
                tally.on_second_try += 1;
            }
        }
        Self { tally, failures }
    }

    /// Prints each failure, then the sum: the last lines of a run.
    pub(super) fn print(&self) {
        println!();
        for failure in &self.failures {
            failure.print();
        }
        println!("{}", self.tally);
    }
}

impl AddAssign for Outcome {
    fn add_assign(&mut self, other: Self) {
        self.tally += other.tally;
        self.failures.extend(other.failures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_try_that_passed_is_counted_and_named() {
        let failed = Failure::death("truth", "a");
        let passed = Failure {
            end: End::Passed,
            ..failed.clone()
        };
        let tally = Tally {
            passed: 7,
            failed: 2,
            ..Tally::default()
        };
        let outcome = Outcome::new("6.12", tally, vec![failed, passed]);
        assert_eq!(
            outcome.tally.to_string(),
            "8 passed (1 of them on the second try), 1 failed, 0 skipped"
        );
        assert!(
            outcome
                .failures
                .iter()
                .all(|failure| failure.place == "6.12")
        );
    }
}

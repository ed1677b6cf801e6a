//! Reads what libtest prints, line by line, and adds it up.

use std::{
    cmp::Reverse,
    fmt,
    ops::AddAssign,
    time::{Duration, Instant},
};

use super::failures::{Failure, Failures};

/// What a test that cannot run here prints, followed by its name and the reason. It
/// passes for libtest, and is counted as skipped here.
pub(super) const SKIPPED: &str = "skipped: ";

/// Tests that are named as the slowest.
const SLOWEST: usize = 5;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Ran, and were content.
    pub(crate) passed: u64,
    /// Ran, and were not; or were to run, and their binary died.
    pub(crate) failed: u64,
    /// Those of `passed` that failed first, and were content when they ran again, alone.
    pub(crate) on_second_try: u64,
    /// Ignored, or said why they cannot run here.
    pub(crate) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        let Self {
            passed,
            failed,
            on_second_try,
            skipped,
        } = other;
        self.passed += passed;
        self.failed += failed;
        self.on_second_try += on_second_try;
        self.skipped += skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            on_second_try,
            skipped,
        } = self;
        write!(formatter, "{passed} passed")?;
        if *on_second_try > 0 {
            write!(formatter, " ({on_second_try} of them on the second try)")?;
        }
        write!(formatter, ", {failed} failed, {skipped} skipped")
    }
}

/// The output of one run of test binaries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    results: Vec<String>,
    tally: Tally,
    said_skipped: u64,
    started: u64,
    ended: u64,
    running: Option<String>,
    mark: Option<Instant>,
    took: Vec<(Duration, String)>,
    failures: Failures,
}

impl Summary {
    /// Takes the next line.
    pub(crate) fn take(&mut self, line: &str) {
        self.time(line);
        self.failures.take(line);
        if let Some(tally) = parse_result(line) {
            self.results.push(line.trim().to_owned());
            self.tally += tally;
            self.ended += 1;
        } else if is_start(line) {
            self.started += 1;
        } else if line.contains(SKIPPED) {
            self.said_skipped += 1;
        }
    }

    /// Times a test by the lines that tell its end and that of the one before: libtest
    /// runs one at a time, and ends the line that names a test with its verdict, or, when
    /// the test printed something, the verdict is a line of its own.
    fn time(&mut self, line: &str) {
        let is_verdict = |text: &str| ["ok", "FAILED"].contains(&text);
        let named = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... "));
        if let Some((name, rest)) = named {
            self.running = Some(name.to_owned());
            if !is_verdict(rest) {
                return;
            }
        } else if is_start(line) {
            self.mark = Some(Instant::now());
            return;
        } else if !is_verdict(line) {
            return;
        }
        let since = self.mark.replace(Instant::now());
        if let (Some(since), Some(name)) = (since, self.running.take()) {
            self.took.push((since.elapsed(), name));
        }
    }

    /// The slowest tests, the slowest first.
    pub(crate) fn slowest(&self) -> Vec<(Duration, &str)> {
        let mut tests: Vec<(Duration, &str)> = self
            .took
            .iter()
            .map(|(took, name)| (*took, name.as_str()))
            .collect();
        tests.sort_by_key(|&(took, name)| (Reverse(took), name));
        tests.truncate(SLOWEST);
        tests
    }

    /// The tests that failed, and those during which a binary died.
    pub(crate) fn failures(&self) -> Vec<Failure> {
        let mut failures = self.failures.found().to_vec();
        if self.ended < self.started
            && let Some(name) = &self.running
        {
            failures.push(Failure::death(self.failures.binary(), name));
        }
        failures
    }

    /// The result lines of the binaries, as they were printed.
    pub(crate) fn results(&self) -> &[String] {
        &self.results
    }

    /// The sum. A binary that began and printed no result died: one more failure.
    pub(crate) fn tally(&self) -> Tally {
        let Tally {
            passed,
            failed,
            on_second_try,
            skipped,
        } = self.tally;
        let said_skipped = self.said_skipped.min(passed);
        Tally {
            passed: passed - said_skipped,
            failed: failed + self.started.saturating_sub(self.ended),
            on_second_try,
            skipped: skipped + said_skipped,
        }
    }
}

/// Whether a binary begins: `running 3 tests`.
fn is_start(line: &str) -> bool {
    line.strip_prefix("running ")
        .and_then(|rest| rest.split_once(' '))
        .is_some_and(|(count, what)| count.parse::<u64>().is_ok() && what.starts_with("test"))
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`.
fn parse_result(line: &str) -> Option<Tally> {
    let (_, counts) = line
        .trim()
        .strip_prefix("test result: ")?
        .split_once(". ")?;
    let count = |name: &str| {
        counts
            .split(';')
            .find_map(|part| part.trim().strip_suffix(name)?.trim().parse::<u64>().ok())
    };
    Some(Tally {
        passed: count("passed")?,
        failed: count("failed")?,
        on_second_try: 0,
        skipped: count("ignored")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(text: &str) -> Summary {
        let mut summary = Summary::default();
        text.lines().for_each(|line| summary.take(line));
        summary
    }

    #[test]
    fn results_add_up() {
        let read = summary(
            "running 3 tests\ntest a ... ok\ntest b ... FAILED\ntest c ... ignored\n\n\
             test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
             running 1 test\ntest d ... ok\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.00s\n",
        );
        assert_eq!(
            read.tally(),
            Tally {
                passed: 2,
                failed: 1,
                on_second_try: 0,
                skipped: 1
            }
        );
        assert_eq!(read.results().len(), 2);
        assert_eq!(read.tally().to_string(), "2 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn reasons_count_as_skipped() {
        let read = summary(
            "running 2 tests\ntest a ... skipped: a: no fentry on this kernel\nok\ntest b ... ok\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n",
        );
        assert_eq!(
            read.tally(),
            Tally {
                passed: 1,
                failed: 0,
                on_second_try: 0,
                skipped: 1
            }
        );
    }

    #[test]
    fn binary_that_died_is_a_failure() {
        let read = summary("running 2 tests\ntest a ... ok\n");
        assert_eq!(
            read.tally(),
            Tally {
                passed: 0,
                failed: 1,
                on_second_try: 0,
                skipped: 0
            }
        );
    }

    #[test]
    fn every_test_that_ran_is_timed() {
        let read = summary(
            "running 3 tests\ntest a ... skipped: a: no fentry on this kernel\nok\ntest b ... ok\n\
             test c ... ignored\n",
        );
        let mut names: Vec<&str> = read.slowest().iter().map(|(_, name)| *name).collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn other_lines_say_nothing() {
        let read = summary("running late\ntest result: unknown\nrunning x tests\n");
        assert_eq!(read.tally(), Tally::default());
    }
}

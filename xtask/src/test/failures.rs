//! Which tests failed, and what they said: the end of a run of an hour names them again.

/// What precedes the name of a binary's tests in the output of a guest.
pub(super) const TESTS_IN: &str = "tests in ";

/// Lines of a failed test that are kept, the last ones before its backtrace.
const KEPT: usize = 12;

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Where: a kernel, or a ring.
    pub(crate) place: String,
    /// The test binary; empty where only cargo knows it.
    pub(crate) binary: String,
    /// The test's name, as libtest takes it.
    pub(crate) name: String,
    /// The last lines that it printed before the backtrace.
    pub(crate) said: Vec<String>,
    /// How it went on.
    pub(crate) end: End,
}

/// How a failure was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It counts.
    Failed,
    /// Its binary did not end by itself, and took the tests after it along.
    Died,
    /// The test passed when it ran again, alone.
    Passed,
}

impl Failure {
    /// A binary that died while `name` ran.
    pub(super) fn death(binary: &str, name: &str) -> Self {
        Self {
            place: String::new(),
            binary: binary.to_owned(),
            name: name.to_owned(),
            said: Vec::new(),
            end: End::Died,
        }
    }

    /// Prints where it was, its name, and what it said.
    pub(super) fn print(&self) {
        let Self {
            place,
            binary,
            name,
            said,
            end,
        } = self;
        let end = match end {
            End::Failed => "failed",
            End::Died => "failed: its binary did not end by itself",
            End::Passed => "failed, and passed when it ran again",
        };
        println!("[{place}] {binary} {name}: {end}");
        for line in said {
            println!("    {line}");
        }
    }
}

/// Reads the part of libtest's output that tells what failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    binary: String,
    found: Vec<Failure>,
    reading: bool,
}

impl Failures {
    /// Takes the next line.
    pub(super) fn take(&mut self, line: &str) {
        if let Some(binary) = line.strip_prefix(TESTS_IN) {
            binary.clone_into(&mut self.binary);
        } else if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.reading = true;
            self.found.push(Failure {
                place: String::new(),
                binary: self.binary.clone(),
                name: name.to_owned(),
                said: Vec::new(),
                end: End::Failed,
            });
        } else if ["failures:", "stack backtrace:"].contains(&line) {
            self.reading = false;
        } else if self.reading
            && !line.is_empty()
            && let Some(failure) = self.found.last_mut()
        {
            if failure.said.len() == KEPT {
                failure.said.remove(0);
            }
            failure.said.push(line.to_owned());
        }
    }

    /// The binary whose tests run.
    pub(super) fn binary(&self) -> &str {
        &self.binary
    }

    /// The tests that failed so far.
    pub(super) fn found(&self) -> &[Failure] {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_test_has_its_binary_and_its_message() {
        let mut failures = Failures::default();
        "tests in serve\n\nrunning 2 tests\ntest a::b ... FAILED\ntest c ... ok\n\nfailures:\n\n\
         ---- a::b stdout ----\n987 answers in 3 s\n\nthread 'a::b' (5) panicked at clients.rs:113:5:\n\
         31628 KiB grew to 37720 KiB\nstack backtrace:\n   0: rust_begin_unwind\n\n\n\
         failures:\n    a::b\n\ntest result: FAILED. 1 passed; 1 failed"
            .lines()
            .for_each(|line| failures.take(line));
        let [failure] = failures.found() else {
            panic!("{failures:?}")
        };
        assert_eq!((&*failure.binary, &*failure.name), ("serve", "a::b"));
        assert_eq!(
            failure.said,
            [
                "987 answers in 3 s",
                "thread 'a::b' (5) panicked at clients.rs:113:5:",
                "31628 KiB grew to 37720 KiB"
            ]
        );
    }

    #[test]
    fn of_a_long_output_the_end_is_kept() {
        let mut failures = Failures::default();
        failures.take("---- long stdout ----");
        (0..100).for_each(|number| failures.take(&number.to_string()));
        let said = &failures.found()[0].said;
        assert_eq!(
            (said.len(), &*said[0], &*said[KEPT - 1]),
            (KEPT, "88", "99")
        );
    }
}

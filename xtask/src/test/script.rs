//! What a guest runs: test binaries and their arguments, as a shell script.

use std::{fmt::Write as _, slice};

use super::failures::{Failure, TESTS_IN};
use crate::{guest_build::Artifact, process::shell_words};

/// Test binaries about arguments, files and sockets, which no version of Linux changes.
const OF_ANY_KERNEL: [&str; 5] = ["ci", "commands", "index_memory", "outside", "serve"];

/// The binary with the claims about measurements.
const TRUTH: &str = "truth";

/// Its claims about what the program refuses, and those of the engine in user space, which
/// asks every kernel the same.
const CLAIMS_OF_ANY_KERNEL: [&str; 2] = ["claims::bad_input", "::user::"];

/// Of those what is asked everywhere: that both engines see what is there, and that looking
/// changes nothing.
const ON_EVERY_KERNEL: [&str; 2] = [
    "claims::scan_equals_plan::user",
    "claims::scan_changes_nothing::user",
];

/// How much of the tests a guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// All.
    Whole,
    /// What the version of the kernel may change: for those between the oldest and the
    /// newest, so that a run on two processors ends within CI's hour and a half.
    OfThisKernel,
}

impl Share {
    /// What the output says of it, when it is not all.
    pub(super) fn remark(self) -> Option<String> {
        (self == Self::OfThisKernel).then(|| {
            format!(
                "left to the oldest and the newest kernel: {}; of {TRUTH}, {} (but for {})",
                OF_ANY_KERNEL.join(", "),
                CLAIMS_OF_ANY_KERNEL.join(", "),
                ON_EVERY_KERNEL.join(", ")
            )
        })
    }
}

/// Where a program is in a guest.
pub(super) fn place(program: &Artifact) -> String {
    let folder = if program.test { "/guest/tests" } else { "/bin" };
    format!("{folder}/{}", program.name)
}

/// Runs the tests of all `programs` that are tests, one test at a time: they share the page
/// cache. Fails when one fails. `arguments` are for libtest.
pub(super) fn of_all(programs: &[Artifact], arguments: &[String], share: Share) -> String {
    let mut script = String::from("exec 2>&1\nfailed=0\n");
    for program in programs.iter().filter(|program| program.test) {
        for arguments in runs(&program.name, arguments, share) {
            let name = &program.name;
            // Writing to a string cannot fail.
            let _ = writeln!(
                script,
                "{} || {{ echo \"{name} ended with $?\"; failed=1; }}",
                run(program, &arguments)
            );
        }
    }
    script.push_str("exit $failed\n");
    script
}

/// Runs each failed test once more, by itself, and succeeds.
pub(super) fn of_failed(programs: &[Artifact], failures: &[Failure]) -> String {
    let mut script = String::from("exec 2>&1\n");
    for failure in failures {
        let program = programs
            .iter()
            .find(|program| program.test && program.name == failure.binary);
        if let Some(program) = program {
            let name = shell_words(slice::from_ref(&failure.name));
            let _ = writeln!(script, "{}", run(program, &format!("--exact {name}")));
        }
    }
    script.push_str("exit 0\n");
    script
}

fn run(program: &Artifact, arguments: &str) -> String {
    format!(
        "echo '{TESTS_IN}{}'\n{} --test-threads=1 --color never {arguments}",
        program.name,
        place(program)
    )
}

/// With which arguments a binary runs, once for each.
fn runs(name: &str, arguments: &[String], share: Share) -> Vec<String> {
    match share {
        Share::Whole => vec![shell_words(arguments)],
        Share::OfThisKernel if OF_ANY_KERNEL.contains(&name) => Vec::new(),
        Share::OfThisKernel if name == TRUTH => {
            let skip = CLAIMS_OF_ANY_KERNEL.map(|claim| format!("--skip {claim}"));
            vec![skip.join(" "), ON_EVERY_KERNEL.join(" ")]
        }
        Share::OfThisKernel => vec![String::new()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(names: &[(&str, bool)]) -> Vec<Artifact> {
        let program = |&(name, test): &(&str, bool)| Artifact {
            name: name.to_owned(),
            test,
            path: format!("/host/{name}").into(),
        };
        names.iter().map(program).collect()
    }

    #[test]
    fn every_test_runs_and_one_that_fails_fails_the_script() {
        let programs = programs(&[("sharestat", false), ("scan", true), ("live", true)]);
        assert_eq!(
            of_all(&programs, &["overlay".to_owned()], Share::Whole),
            "exec 2>&1\nfailed=0\n\
             echo 'tests in scan'\n/guest/tests/scan --test-threads=1 --color never 'overlay' || { \
             echo \"scan ended with $?\"; failed=1; }\n\
             echo 'tests in live'\n/guest/tests/live --test-threads=1 --color never 'overlay' || { \
             echo \"live ended with $?\"; failed=1; }\n\
             exit $failed\n"
        );
    }

    #[test]
    fn a_kernel_in_the_middle_runs_what_its_version_may_change() {
        let programs = programs(&[("serve", true), ("record", true), ("truth", true)]);
        assert_eq!(
            of_all(&programs, &[], Share::OfThisKernel),
            "exec 2>&1\nfailed=0\n\
             echo 'tests in record'\n/guest/tests/record --test-threads=1 --color never  || { \
             echo \"record ended with $?\"; failed=1; }\n\
             echo 'tests in truth'\n/guest/tests/truth --test-threads=1 --color never \
             --skip claims::bad_input --skip ::user:: || { \
             echo \"truth ended with $?\"; failed=1; }\n\
             echo 'tests in truth'\n/guest/tests/truth --test-threads=1 --color never \
             claims::scan_equals_plan::user claims::scan_changes_nothing::user || { \
             echo \"truth ended with $?\"; failed=1; }\n\
             exit $failed\n"
        );
        let remark = Share::OfThisKernel.remark().expect("something is left out");
        assert!(remark.contains("serve") && remark.contains("::user::"));
        assert_eq!(Share::Whole.remark(), None);
    }

    #[test]
    fn what_failed_runs_alone() {
        let programs = programs(&[("truth", true)]);
        let failures = ["a::b", "c"].map(|name| Failure::death("truth", name));
        assert_eq!(
            of_failed(&programs, &failures),
            "exec 2>&1\n\
             echo 'tests in truth'\n\
             /guest/tests/truth --test-threads=1 --color never --exact 'a::b'\n\
             echo 'tests in truth'\n\
             /guest/tests/truth --test-threads=1 --color never --exact 'c'\n\
             exit 0\n"
        );
    }
}

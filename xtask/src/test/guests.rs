//! The guest ring: the integration tests on each kernel, as many kernels at once as
//! there are cores.

use std::{
    fmt::Write as _,
    path::Path,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    again::{self, SecondTry},
    failures::{Failure, TESTS_IN},
    outcome::Outcome,
    summary::{Summary, Tally},
};
use crate::{
    cache::Cache,
    guest_build::Artifact,
    process::shell_words,
    setup::{
        self,
        kernels::{self, Kernel, Series},
    },
    vm::{self, Cargo, Ending, Guest, MachineOptions, Output},
};

/// Barriers against speculation and the clearing of every page that is handed out (Debian's
/// default) protect nothing in a guest that lives for its tests, and take much of the time
/// under emulation.
const PARAMETERS: &str = "mitigations=off init_on_alloc=0";

/// What is the same for all kernels.
pub(super) struct Plan<'a> {
    /// Where kernels and busybox are.
    pub(super) cache: &'a Cache,
    /// Test binaries and sharestat, static.
    pub(super) programs: &'a [Artifact],
    /// The guests' machine.
    pub(super) machine: &'a MachineOptions,
    /// For each guest.
    pub(super) time_out: Duration,
    /// For libtest.
    pub(super) arguments: &'a [String],
}

/// How the tests went on one kernel.
struct Report {
    kernel: Kernel,
    summary: Summary,
    failures: Vec<Failure>,
    ending: Result<Ending>,
    took: Duration,
}

/// Runs the tests on `series`, prints their lines as they come and a summary of each
/// kernel in the end.
///
/// # Errors
/// When a kernel or what guests need cannot be had.
pub(super) fn run(plan: &Plan<'_>, series: &[Series]) -> Result<Outcome> {
    if !plan.programs.iter().any(|program| program.test) {
        println!("there are no integration tests: no guest is booted");
        return Ok(Outcome::default());
    }
    setup::for_guests(plan.cache)?;
    let kernels = series
        .iter()
        .map(|&series| Ok(kernels::provide(plan.cache, series)?.0))
        .collect::<Result<Vec<_>>>()?;
    let waiting = Mutex::new(kernels.into_iter());
    let next = || waiting.lock().ok().and_then(|mut kernels| kernels.next());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut reports: Vec<Report> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    std::iter::from_fn(next)
                        .map(|kernel| boot(plan, kernel))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_default())
            .collect()
    });
    reports.sort_by_key(|report| report.kernel.series);
    let mut sum = Outcome::default();
    sum.tally.failed = (series.len() - reports.len()) as u64;
    for report in reports {
        let tally = print(&report);
        sum += Outcome::new(&report.kernel.series.to_string(), tally, report.failures);
    }
    Ok(sum)
}

fn boot(plan: &Plan<'_>, kernel: Kernel) -> Report {
    let begun = Instant::now();
    let mut summary = Summary::default();
    let ending = boot_for(
        plan,
        &kernel,
        script(plan.programs, plan.arguments),
        |line| {
            summary.take(line);
        },
    );
    let mut failures = summary.failures();
    if matches!(ending, Ok(Ending::Exited(_)))
        && again::is_due(&failures, summary.tally().failed, plan.arguments)
    {
        try_again(plan, &kernel, &mut failures);
    }
    Report {
        kernel,
        summary,
        failures,
        ending,
        took: begun.elapsed(),
    }
}

/// Boots `kernel` for one `script`, and shows and hands over each line that it prints.
fn boot_for(
    plan: &Plan<'_>,
    kernel: &Kernel,
    script: String,
    mut take: impl FnMut(&str) + Send,
) -> Result<Ending> {
    let series = kernel.series;
    let mut machine = plan.machine.clone();
    machine.parameters = format!("{PARAMETERS} {}", machine.parameters);
    let guest = Guest {
        kernel: kernel.clone(),
        machine,
        time_out: Some(plan.time_out),
        cargo: plan.programs.iter().map(cargo).collect(),
        command: script,
    };
    let mut shown = |line: &str| {
        println!("[{series}] {line}");
        take(line);
    };
    vm::boot(plan.cache, &guest, Output::Lines(&mut shown))
}

/// Gives each test of `failures` a second try, alone, in one fresh guest.
fn try_again(plan: &Plan<'_>, kernel: &Kernel, failures: &mut [Failure]) {
    let script = second_script(plan.programs, failures);
    let mut tries: Vec<SecondTry> = Vec::new();
    let ending = boot_for(plan, kernel, script, |line| {
        if line.starts_with(TESTS_IN) {
            tries.push(SecondTry::default());
        } else if let Some(second) = tries.last_mut() {
            second.take(line);
        }
    });
    if matches!(ending, Ok(Ending::Exited(_))) {
        for (failure, second) in failures.iter_mut().zip(&tries) {
            failure.end = second.end();
        }
    }
}

fn cargo(program: &Artifact) -> Cargo {
    Cargo {
        from: program.path.clone(),
        to: place(program),
    }
}

fn place(program: &Artifact) -> String {
    let folder = if program.test { "/guest/tests" } else { "/bin" };
    format!("{folder}/{}", program.name)
}

/// The shell script that runs all test binaries, one test at a time: they share the page
/// cache. It fails when one fails.
fn script(programs: &[Artifact], arguments: &[String]) -> String {
    let mut script = String::from("exec 2>&1\nfailed=0\n");
    for program in programs.iter().filter(|program| program.test) {
        let place = place(program);
        let name = Path::new(&place)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let arguments = shell_words(arguments);
        // Writing to a string cannot fail.
        let _ = writeln!(
            script,
            "echo '{TESTS_IN}{name}'\n{place} --test-threads=1 --color never {arguments} || {{ \
             echo \"{name} ended with $?\"; failed=1; }}"
        );
    }
    script.push_str("exit $failed\n");
    script
}

/// The shell script that runs each failed test once more, by itself.
fn second_script(programs: &[Artifact], failures: &[Failure]) -> String {
    let mut script = String::from("exec 2>&1\n");
    for failure in failures {
        let program = programs
            .iter()
            .find(|program| program.test && program.name == failure.binary);
        if let Some(program) = program {
            let _ = writeln!(
                script,
                "echo '{TESTS_IN}{}'\n{} --test-threads=1 --color never --exact {}",
                program.name,
                place(program),
                shell_words(std::slice::from_ref(&failure.name))
            );
        }
    }
    script.push_str("exit 0\n");
    script
}

/// Prints how the tests went on one kernel and returns their sum; a guest that did not
/// end by itself is one more failure.
fn print(report: &Report) -> Tally {
    let Report {
        kernel,
        summary,
        ending,
        took,
        ..
    } = report;
    println!(
        "\nkernel {} ({}), {} s",
        kernel.series,
        kernel.release,
        took.as_secs()
    );
    for result in summary.results() {
        println!("{result}");
    }
    for (took, name) in summary.slowest() {
        println!("{:>6} s  {name}", took.as_secs());
    }
    let mut tally = summary.tally();
    match ending {
        Ok(Ending::Exited(code)) => {
            if *code != 0 && tally.failed == 0 {
                println!("the tests ended with {code}");
                tally.failed = 1;
            }
        }
        Ok(Ending::Died(console)) => {
            println!("the guest died; the last lines of its console:\n{console}");
            tally.failed = tally.failed.max(1);
        }
        Ok(Ending::TimedOut(console)) => {
            println!(
                "the guest was killed after its time-out; the last lines of its console:\n{console}"
            );
            tally.failed = tally.failed.max(1);
        }
        Ok(Ending::NotUp(console)) => {
            println!("the guest did not come up; the last lines of its console:\n{console}");
            tally.failed = tally.failed.max(1);
        }
        Err(error) => {
            println!("the guest could not run: {error:#}");
            tally.failed = tally.failed.max(1);
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_runs_every_test_and_fails_with_one() {
        let programs =
            [("sharestat", false), ("scan", true), ("live", true)].map(|(name, test)| Artifact {
                name: name.to_owned(),
                test,
                path: format!("/host/{name}").into(),
            });
        assert_eq!(
            script(&programs, &["overlay".to_owned()]),
            "exec 2>&1\nfailed=0\n\
             echo 'tests in scan'\n/guest/tests/scan --test-threads=1 --color never 'overlay' || { \
             echo \"scan ended with $?\"; failed=1; }\n\
             echo 'tests in live'\n/guest/tests/live --test-threads=1 --color never 'overlay' || { \
             echo \"live ended with $?\"; failed=1; }\n\
             exit $failed\n"
        );
    }

    #[test]
    fn what_failed_runs_alone() {
        let programs = [Artifact {
            name: "truth".to_owned(),
            test: true,
            path: "/host/truth".into(),
        }];
        let failures = ["a::b", "c"].map(|name| Failure::death("truth", name));
        assert_eq!(
            second_script(&programs, &failures),
            "exec 2>&1\n\
             echo 'tests in truth'\n\
             /guest/tests/truth --test-threads=1 --color never --exact 'a::b'\n\
             echo 'tests in truth'\n\
             /guest/tests/truth --test-threads=1 --color never --exact 'c'\n\
             exit 0\n"
        );
    }
}

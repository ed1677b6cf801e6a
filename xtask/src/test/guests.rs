//! The guest ring: the integration tests on each kernel, as many kernels at once as
//! there are cores.

use std::{
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    again::{self, SecondTry},
    failures::{Failure, TESTS_IN},
    outcome::Outcome,
    script::{self, Share},
    summary::{Summary, Tally},
};
use crate::{
    cache::Cache,
    guest_build::Artifact,
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
    let mut kernels = series
        .iter()
        .map(|&one| {
            let share = share_of(one, series, plan.arguments);
            Ok((kernels::provide(plan.cache, one)?.0, share))
        })
        .collect::<Result<Vec<_>>>()?;
    // The longest runs first: then the processors are done at about the same time.
    kernels.sort_by_key(|&(_, share)| share != Share::Whole);
    let waiting = Mutex::new(kernels.into_iter());
    let next = || waiting.lock().ok().and_then(|mut kernels| kernels.next());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut reports: Vec<Report> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    std::iter::from_fn(next)
                        .map(|(kernel, share)| boot(plan, kernel, share))
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

/// What `kernel`, one of `chosen`, runs. Who names tests gets them on every kernel.
fn share_of(kernel: Series, chosen: &[Series], arguments: &[String]) -> Share {
    let older = chosen.iter().any(|&other| other < kernel);
    let newer = chosen.iter().any(|&other| other > kernel);
    if older && newer && arguments.is_empty() {
        Share::OfThisKernel
    } else {
        Share::Whole
    }
}

fn boot(plan: &Plan<'_>, kernel: Kernel, share: Share) -> Report {
    let begun = Instant::now();
    if let Some(remark) = share.remark() {
        println!("[{}] {remark}", kernel.series);
    }
    let mut summary = Summary::default();
    let ending = boot_for(
        plan,
        &kernel,
        script::of_all(plan.programs, plan.arguments, share),
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

/// Longest time for all second tries of a guest: a test takes two minutes at most.
const SECOND_TRIES: Duration = Duration::from_mins(10);

/// Gives each test of `failures` a second try, alone, in one fresh guest.
fn try_again(plan: &Plan<'_>, kernel: &Kernel, failures: &mut [Failure]) {
    let plan = Plan {
        time_out: plan.time_out.min(SECOND_TRIES),
        ..*plan
    };
    let script = script::of_failed(plan.programs, failures);
    let mut tries: Vec<SecondTry> = Vec::new();
    let ending = boot_for(&plan, kernel, script, |line| {
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
        to: script::place(program),
    }
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
    fn the_oldest_and_the_newest_run_all() {
        let share = |kernel, chosen: &[Series]| share_of(kernel, chosen, &[]);
        assert_eq!(share(Series::V6_1, &Series::ALL), Share::Whole);
        assert_eq!(share(Series::V6_12, &Series::ALL), Share::OfThisKernel);
        assert_eq!(share(Series::V7_2, &Series::ALL), Share::OfThisKernel);
        assert_eq!(share(Series::V7_3, &Series::ALL), Share::Whole);
        assert_eq!(share(Series::V7_2, &[Series::V7_2]), Share::Whole);
        let named = share_of(Series::V7_2, &Series::ALL, &["overlay".to_owned()]);
        assert_eq!(named, Share::Whole);
    }
}

//! The rings of tests: units on the host, whole binaries on this kernel, and the same
//! binaries on each guest kernel. Each ring runs even when one before it failed.

mod again;
mod failures;
mod guests;
mod native;
mod outcome;
mod script;
mod summary;
mod unit;

use std::time::Duration;

use anyhow::Result;

use self::outcome::Outcome;
use crate::{build, cache::Cache, guest_build, setup::kernels::Series, vm::MachineOptions};

/// Options of `cargo xtask test`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// One ring only
    #[arg(value_enum)]
    ring: Option<Ring>,
    /// Kernels of the ring 'vm', separated by commas
    #[arg(long = "kernel", value_delimiter = ',', default_values_t = Series::ALL)]
    kernels: Vec<Series>,
    #[command(flatten)]
    machine: MachineOptions,
    /// Kill a guest after this many minutes
    #[arg(long, default_value_t = 40)]
    time_out: u64,
    /// Filters and options of libtest
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// A ring of tests.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Ring {
    /// Library, binary and documentation tests of the host crates
    Unit,
    /// Integration tests as root on this machine's kernel
    Native,
    /// Integration tests in guests
    Vm,
}

/// Runs the tests and returns 0 when all passed, else 1. The last lines that are printed
/// name what failed, and the very last is the sum over all rings.
///
/// # Errors
/// When something cannot be provided, built or started.
pub(crate) fn run(options: &Options) -> Result<i32> {
    let Options {
        ring,
        kernels,
        machine,
        time_out,
        arguments,
    } = options;
    let chosen = |candidate: Ring| ring.is_none_or(|ring| ring == candidate);
    let mut sum = Outcome::default();
    if ring.is_none() {
        // First, because everything that embeds the object would be built again after it.
        build::bpf_object()?;
    }
    if chosen(Ring::Unit) {
        sum += unit::run(arguments)?;
    }
    if chosen(Ring::Native) || chosen(Ring::Vm) {
        let programs = guest_build::tests()?;
        if chosen(Ring::Native) {
            sum += native::run(&programs, arguments)?;
        }
        if chosen(Ring::Vm) {
            let plan = guests::Plan {
                cache: &Cache::open()?,
                programs: &programs,
                machine,
                time_out: Duration::from_secs(60 * time_out),
                arguments,
            };
            sum += guests::run(&plan, kernels)?;
        }
    }
    sum.print();
    Ok(i32::from(sum.tally.failed > 0))
}

//! `cargo xtask`: everything around the code.

mod bench;
mod build;
mod cache;
mod check;
mod contrib;
mod demo;
mod derefs_report;
mod erofs_sharing;
mod fuzz;
mod guest_build;
mod process;
mod run;
mod setup;
mod soak;
mod test;
mod vm;
mod workspace;

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Builds, provisions, tests and measures sharestat"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Provide everything that building and testing need
    Setup,
    /// Build the BPF object and target/release/sharestat
    Build {
        /// Leave the BPF programs out: the binary then measures with '--engine user' only
        #[arg(long)]
        without_bpf: bool,
    },
    /// Build, then run sharestat as root: 'top', or 'scan' in a pipe, unless told otherwise
    Run {
        /// Leave the BPF programs out
        #[arg(long)]
        without_bpf: bool,
        /// Arguments of sharestat
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Run the tests: all rings, or one
    Test(test::Options),
    /// Measure how fast it is, beside the machine's limits and other programs
    Bench(bench::Options),
    /// Write docs/derefs-KERNEL.md: what 'sharestat derefs' finds on a kernel in a guest
    DerefsReport(derefs_report::Options),
    /// Record the scenario that 'sharestat demo' plays
    DemoRecording(vm::ScenarioOptions),
    /// Watch a guest for minutes while files and containers come and go
    Soak(soak::Options),
    /// Feed the parsers with made-up input, led by coverage; fails on a crash
    Fuzz(fuzz::Options),
    /// Check format, lints and documentation, warnings denied
    Check,
    /// Boot a kernel with sharestat inside; run a command there, or a shell
    Vm(vm::Options),
}

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Performs one task and returns the exit code it asks for.
fn perform(task: Task) -> Result<i32> {
    match task {
        Task::Setup => setup::everything().map(|()| 0),
        Task::Build { without_bpf } => {
            let binary = build::release(without_bpf)?;
            eprintln!("built '{}'", binary.display());
            Ok(0)
        }
        Task::Test(options) => test::run(&options),
        Task::Bench(options) => bench::run(options),
        Task::DerefsReport(options) => derefs_report::run(options),
        Task::DemoRecording(options) => demo::record(options).map(|()| 0),
        Task::Soak(options) => soak::run(options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Check => check::run().map(|()| 0),
        Task::Vm(options) => vm::run(options),
        Task::Run {
            without_bpf,
            arguments,
        } => run::run(arguments, without_bpf),
    }
}

//! `cargo xtask soak`: `top` and `record` watch a guest for minutes while files and
//! containers come and go. At the end the live sums must be those of a fresh scan, and
//! memory must not have grown.

mod verdict;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};

use self::verdict::Soak;
use crate::{
    cache::Cache,
    guest_build,
    setup::{
        self,
        kernels::{self, Series},
    },
    vm::{self, Cargo, Ending, Guest, MachineOptions, Output},
    workspace,
};

/// Options of `cargo xtask soak`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Kernel to boot: 6.1, 6.12, 7.2 or 7.3
    #[arg(long, default_value_t = Series::V6_12)]
    kernel: Series,
    #[command(flatten)]
    machine: MachineOptions,
    /// How long files and containers come and go
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    minutes: u64,
    /// A statically linked sharestat, instead of one that is built first
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Time for booting, the first census, the last one, the scan and the replay.
const AROUND: Duration = Duration::from_mins(15);

/// Boots the guest and judges; returns 1 when something does not hold.
///
/// # Errors
/// When something cannot be provided or built, or the guest fails.
pub(crate) fn run(options: Options) -> Result<i32> {
    let Options {
        kernel: series,
        machine,
        minutes,
        binary,
    } = options;
    let cache = Cache::open()?;
    setup::for_guests(&cache)?;
    let (kernel, _) = kernels::provide(&cache, series)?;
    let sharestat = match binary {
        Some(binary) => binary,
        None => guest_build::sharestat()?,
    };
    let script = workspace::target("soak.sh");
    std::fs::write(&script, include_str!("soak.sh"))
        .with_context(|| format!("'{}' cannot be written", script.display()))?;
    let guest = Guest {
        kernel,
        machine,
        time_out: Some(Duration::from_mins(minutes) + AROUND),
        cargo: vec![
            Cargo {
                from: sharestat,
                to: "/bin/sharestat".to_owned(),
            },
            Cargo {
                from: script,
                to: "/guest/soak.sh".to_owned(),
            },
        ],
        command: format!("sh /guest/soak.sh {minutes}"),
    };
    eprintln!("soaking for {minutes} min on {series}");
    let mut lines = Vec::new();
    let mut take = |line: &str| lines.push(line.to_owned());
    match vm::boot(&cache, &guest, Output::Lines(&mut take))? {
        Ending::Exited(0) => {}
        Ending::Exited(code) => bail!("the soak ended with {code} in the guest"),
        Ending::Died(console) | Ending::TimedOut(console) => {
            bail!("the guest did not end by itself; its console:\n{console}")
        }
    }
    let soak = Soak::read(&lines)?;
    println!("{minutes} min on {series}: {}", soak.told());
    let failures = soak.failures();
    for failure in &failures {
        println!("  does not hold: {failure}");
    }
    Ok(i32::from(!failures.is_empty()))
}

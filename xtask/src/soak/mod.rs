//! `cargo xtask soak`: `top` and `record` watch a guest for minutes while files and
//! containers come and go. At the end the live sums must be those of a fresh scan, and
//! memory must not have grown.

mod verdict;

use std::time::Duration;

use anyhow::Result;

use self::verdict::Soak;
use crate::vm::{Scenario, ScenarioOptions};

/// Options of `cargo xtask soak`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    scenario: ScenarioOptions,
    /// How long files and containers come and go
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    minutes: u64,
}

/// Time for booting, the first census, the last one, the scan and the replay.
const AROUND: Duration = Duration::from_mins(15);

/// Boots the guest and judges; returns 1 when something does not hold.
///
/// # Errors
/// When something cannot be provided or built, or the guest fails.
pub(crate) fn run(options: Options) -> Result<i32> {
    let Options {
        scenario: options,
        minutes,
    } = options;
    let series = options.kernel;
    let scenario = Scenario {
        name: "soak.sh",
        text: include_str!("soak.sh"),
        argument: minutes.to_string(),
        time_out: Duration::from_mins(minutes) + AROUND,
    };
    eprintln!("soaking for {minutes} min on {series}");
    let mut lines = Vec::new();
    scenario.run(options, &mut |line| lines.push(line.to_owned()))?;
    let soak = Soak::read(&lines)?;
    println!("{minutes} min on {series}: {}", soak.told());
    let failures = soak.failures();
    for failure in &failures {
        println!("  does not hold: {failure}");
    }
    Ok(i32::from(!failures.is_empty()))
}

//! `cargo xtask demo-recording`: makes the recording that `sharestat demo` plays, in a guest:
//! containers of three images in a store like Podman's. Nothing of this machine gets into it.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};

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

/// Largest recording that may be put into the binary.
const MOST_BYTES: usize = 200_000;
/// Time for booting and for the scenario.
const TIME_OUT: Duration = Duration::from_mins(5);

/// Options of `cargo xtask demo-recording`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Kernel to boot: 6.1, 6.12, 7.2 or 7.3
    #[arg(long, default_value_t = Series::V7_3)]
    kernel: Series,
    #[command(flatten)]
    machine: MachineOptions,
    /// A statically linked sharestat, instead of one that is built first
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Builds, records the scenario and puts the recording where the next build embeds it.
///
/// # Errors
/// When something cannot be provided or built, or the guest fails.
pub(crate) fn record(options: Options) -> Result<()> {
    let Options {
        kernel: series,
        machine,
        binary,
    } = options;
    let cache = Cache::open()?;
    setup::for_guests(&cache)?;
    let (kernel, _) = kernels::provide(&cache, series)?;
    let sharestat = match binary {
        Some(binary) => binary,
        None => guest_build::sharestat()?,
    };
    let script = workspace::target("demo.sh");
    fs::write(&script, include_str!("demo.sh"))
        .with_context(|| format!("'{}' cannot be written", script.display()))?;
    let guest = Guest {
        kernel,
        machine,
        time_out: Some(TIME_OUT),
        cargo: vec![
            Cargo {
                from: sharestat,
                to: "/bin/sharestat".to_owned(),
            },
            Cargo {
                from: script,
                to: "/guest/demo.sh".to_owned(),
            },
        ],
        command: "sh -eu /guest/demo.sh".to_owned(),
    };
    let mut lines = String::new();
    let mut take = |line: &str| lines.push_str(line.trim());
    match vm::boot(&cache, &guest, Output::Lines(&mut take))? {
        Ending::Exited(0) => {}
        Ending::Exited(code) => bail!("the scenario ended with {code} in the guest"),
        Ending::Died(console) | Ending::TimedOut(console) => {
            bail!("the guest did not end by itself; its console:\n{console}")
        }
    }
    let bytes = STANDARD
        .decode(&lines)
        .context("the guest did not send a recording")?;
    ensure!(
        bytes.len() <= MOST_BYTES,
        "the recording has {} bytes; at most {MOST_BYTES} go into the binary",
        bytes.len()
    );
    let place = workspace::root().join("sharestat/demo/demo.ssr");
    fs::write(&place, &bytes).with_context(|| format!("cannot write '{}'", place.display()))?;
    eprintln!("{} bytes in '{}'", bytes.len(), place.display());
    Ok(())
}

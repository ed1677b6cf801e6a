//! A script of ours that runs in a guest, beside sharestat, and what it prints.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};

use super::{Cargo, Guest, MachineOptions, Output, boot};
use crate::{
    cache::Cache,
    guest_build,
    setup::{
        self,
        kernels::{self, Series},
    },
    workspace,
};

/// Where it runs, and with what.
#[derive(clap::Args, Debug)]
pub(crate) struct ScenarioOptions {
    /// Kernel to boot: 6.1, 6.12, 7.2 or 7.3
    #[arg(long, default_value_t = Series::V7_3)]
    pub(crate) kernel: Series,
    #[command(flatten)]
    machine: MachineOptions,
    /// A statically linked sharestat, instead of one that is built first
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// A script for busybox.
pub(crate) struct Scenario<'a> {
    /// Name of its file.
    pub(crate) name: &'a str,
    /// What it says.
    pub(crate) text: &'a str,
    /// Its argument.
    pub(crate) argument: String,
    /// Kill the guest after this long.
    pub(crate) time_out: Duration,
}

impl Scenario<'_> {
    /// Boots a guest, runs the script in it and hands over each line that it prints. Its
    /// standard error becomes ours.
    ///
    /// # Errors
    /// When something cannot be provided or built, the script fails or the guest dies.
    pub(crate) fn run(
        &self,
        options: ScenarioOptions,
        take: &mut (dyn FnMut(&str) + Send),
    ) -> Result<()> {
        let cache = Cache::open()?;
        setup::for_guests(&cache)?;
        let (kernel, _) = kernels::provide(&cache, options.kernel)?;
        let sharestat = match options.binary {
            Some(binary) => binary,
            None => guest_build::sharestat()?,
        };
        let script = workspace::target(self.name);
        fs::write(&script, self.text)
            .with_context(|| format!("'{}' cannot be written", script.display()))?;
        let place = format!("/guest/{}", self.name);
        let guest = Guest {
            kernel,
            machine: options.machine,
            time_out: Some(self.time_out),
            command: format!("sh {place} {}", self.argument),
            cargo: vec![
                Cargo {
                    from: sharestat,
                    to: "/bin/sharestat".to_owned(),
                },
                Cargo {
                    from: script,
                    to: place,
                },
            ],
        };
        boot(&cache, &guest, Output::Lines(take))?.success(self.name)
    }
}

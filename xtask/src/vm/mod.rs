//! Guests: a Debian kernel under QEMU, with an init of ours and what it is to run.

mod cpio;
mod initramfs;
mod modules;
mod patience;
mod qemu;
mod scenario;

use std::{
    io::{self, IsTerminal},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

use self::initramfs::TerminalSize;
pub(crate) use self::{
    initramfs::Cargo,
    qemu::Ending,
    scenario::{Scenario, ScenarioOptions},
};
use crate::{
    cache::Cache,
    guest_build,
    process::shell_words,
    setup,
    setup::kernels::{Kernel, Series},
};

/// The machine and what it runs.
#[derive(Debug)]
pub(crate) struct Guest {
    /// Kernel to boot.
    pub(crate) kernel: Kernel,
    /// Its machine.
    pub(crate) machine: MachineOptions,
    /// Kill it after this long.
    pub(crate) time_out: Option<Duration>,
    /// Files it finds.
    pub(crate) cargo: Vec<Cargo>,
    /// Shell script it runs as root.
    pub(crate) command: String,
}

/// Where the output of a guest's command goes.
pub(crate) enum Output<'a> {
    /// The command has our terminal.
    Terminal,
    /// Its standard output and error become ours, byte by byte.
    Streams,
    /// Each line of its standard output is handed over; standard error becomes ours.
    Lines(&'a mut (dyn FnMut(&str) + Send)),
}

impl Output<'_> {
    /// The same place, for one boot of several.
    fn again(&mut self) -> Output<'_> {
        match self {
            Self::Terminal => Output::Terminal,
            Self::Streams => Output::Streams,
            Self::Lines(take) => Output::Lines(*take),
        }
    }
}

/// How often a guest is booted that does not come up.
const BOOTS: u32 = 3;

/// Boots a guest and waits for its end. One that does not come up is booted again, and a
/// line on standard error says so: nothing of its command has run.
///
/// # Errors
/// When its archive cannot be packed or QEMU cannot be started.
pub(crate) fn boot(cache: &Cache, guest: &Guest, mut output: Output<'_>) -> Result<Ending> {
    let folder = tempfile::Builder::new()
        .prefix("sharestat-guest-")
        .tempdir()
        .context("no temporary folder can be made")?;
    let archive = folder.path().join("initramfs");
    let terminal = matches!(output, Output::Terminal).then(terminal_size);
    initramfs::write(&archive, cache, guest, terminal)?;
    for _ in 1..BOOTS {
        let ending = qemu::boot(guest, &archive, folder.path(), output.again())?;
        let Ending::NotUp(console) = ending else {
            return Ok(ending);
        };
        eprintln!(
            "a guest with Linux {} did not come up and is booted again; the last line of its \
             console: {}",
            guest.kernel.series,
            console.lines().last().unwrap_or_default()
        );
    }
    qemu::boot(guest, &archive, folder.path(), output)
}

/// Options of `cargo xtask vm`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Kernel to boot: 6.1, 6.12, 7.2 or 7.3
    #[arg(long, default_value_t = Series::V7_3)]
    kernel: Series,
    #[command(flatten)]
    machine: MachineOptions,
    /// Kill the guest after this many minutes
    #[arg(long)]
    time_out: Option<u64>,
    /// Command to run in the guest instead of a shell
    #[arg(last = true)]
    command: Vec<String>,
}

/// Options that describe a guest's machine.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct MachineOptions {
    /// Memory of a guest, as QEMU spells it
    #[arg(long, default_value = "4G")]
    pub(crate) memory: String,
    /// CPUs of a guest
    #[arg(long, default_value_t = 2)]
    pub(crate) cpus: u32,
    /// CPU model of a guest, as QEMU spells it; 'max' has 5-level paging, 'max,-la57' has not
    #[arg(long, default_value = "max")]
    pub(crate) cpu: String,
    /// Disks of a guest, 512 MiB each: the first becomes its /tmp, the others are for tests
    #[arg(long, default_value_t = 4)]
    pub(crate) disks: usize,
    /// More kernel parameters, such as 'lockdown=integrity'
    #[arg(long, default_value = "")]
    pub(crate) parameters: String,
}

/// Boots a kernel with the freshly built sharestat inside, runs a command or a shell, and
/// returns its exit code.
///
/// # Errors
/// When something cannot be provided or built, or the guest dies.
pub(crate) fn run(options: Options) -> Result<i32> {
    let Options {
        kernel,
        machine,
        time_out,
        command,
    } = options;
    let cache = Cache::open()?;
    setup::for_guests(&cache)?;
    let (kernel, _) = setup::kernels::provide(&cache, kernel)?;
    let sharestat = guest_build::sharestat()?;
    let interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
    let guest = Guest {
        kernel,
        time_out: time_out.map(|minutes| Duration::from_secs(60 * minutes)),
        cargo: vec![Cargo {
            from: sharestat,
            to: "/bin/sharestat".to_owned(),
        }],
        command: if command.is_empty() {
            "exec sh -i".to_owned()
        } else {
            shell_words(&command)
        },
        machine,
    };
    let output = if interactive {
        Output::Terminal
    } else {
        Output::Streams
    };
    match boot(&cache, &guest, output)? {
        Ending::Exited(code) => Ok(code),
        Ending::Died(console) => {
            anyhow::bail!("the guest died before its command ended; its console:\n{console}")
        }
        Ending::TimedOut(console) => {
            anyhow::bail!("the guest was killed after its time-out; its console:\n{console}")
        }
        Ending::NotUp(console) => {
            anyhow::bail!("the guest did not come up in {BOOTS} boots; its console:\n{console}")
        }
    }
}

/// Size of our terminal, or the classic one when it does not say.
fn terminal_size() -> TerminalSize {
    let asked = Command::new("stty")
        .arg("size")
        .stdin(Stdio::inherit())
        .output();
    asked
        .ok()
        .and_then(|output| {
            let text = String::from_utf8(output.stdout).ok()?;
            let (rows, columns) = text.trim().split_once(' ')?;
            Some(TerminalSize {
                rows: rows.parse().ok()?,
                columns: columns.parse().ok()?,
            })
        })
        .filter(|size| size.rows > 0 && size.columns > 0)
        .unwrap_or(TerminalSize {
            rows: 24,
            columns: 80,
        })
}

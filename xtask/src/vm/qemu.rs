//! One QEMU: its command line, its channels, and the wait for its end.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::{
    Guest, Output,
    patience::{Overdue, Patience},
};
use crate::process::{last_lines, not_started};

/// Size of each scratch disk; the files are sparse.
const DISK_BYTES: u64 = 512 << 20;

/// Lines of the kernel's console that are repeated when a guest dies.
const LAST_WORDS: usize = 40;

/// Kernel parameters of every guest. Without the I/O APIC, because its timer check
/// panics under emulation now and then. An oops ends the guest: what a test would say
/// after one is worth nothing.
const PARAMETERS: &str = "console=ttyS0 noapic panic=-1 oops=panic loglevel=5";

/// How a guest ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Its command ended with this exit code.
    Exited(i32),
    /// It powered off, or its kernel died, before the command ended; the console's last lines.
    Died(String),
    /// It was killed after the time-out; the console's last lines.
    TimedOut(String),
    /// It was killed because its command had not begun in time; the console's last lines.
    NotUp(String),
}

impl Ending {
    /// Nothing when the command, which is called `what`, ended well.
    ///
    /// # Errors
    /// Says how it ended otherwise.
    pub(crate) fn success(self, what: &str) -> Result<()> {
        match self {
            Self::Exited(0) => Ok(()),
            Self::Exited(code) => bail!("'{what}' ended with {code} in the guest"),
            Self::Died(console) | Self::TimedOut(console) | Self::NotUp(console) => {
                bail!("the guest did not end by itself; its console:\n{console}")
            }
        }
    }
}

/// Boots `guest` from `initramfs` and waits for its end. `folder` takes the console's
/// log, the verdict and the disks.
///
/// # Errors
/// When QEMU cannot be started or a file of it cannot be made.
pub(crate) fn boot(
    guest: &Guest,
    initramfs: &Path,
    folder: &Path,
    output: Output<'_>,
) -> Result<Ending> {
    let mut command = command(guest, initramfs, folder)?;
    match output {
        Output::Terminal => command
            .args(["-chardev", "stdio,id=terminal,signal=off"])
            .args(["-serial", "chardev:terminal"]),
        Output::Streams | Output::Lines(_) => command
            .args(["-chardev", "file,id=stdout,path=/dev/fd/1,append=on"])
            .args(["-device", "virtserialport,chardev=stdout,name=stdout"])
            .args(["-chardev", "file,id=stderr,path=/dev/fd/2,append=on"])
            .args(["-device", "virtserialport,chardev=stderr,name=stderr"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    };
    dies_with_us(&mut command);
    let mut child = command
        .spawn()
        .map_err(|error| not_started(&command, &error))?;
    let mut patience = Patience::new(guest.time_out, console(folder));
    let stderr = child
        .stderr
        .take()
        .map(|mut stderr| thread::spawn(move || io::copy(&mut stderr, &mut io::stderr())));
    let overdue = match (child.stdout.take(), output) {
        (Some(stdout), Output::Lines(take)) => pass_lines(stdout, &mut patience, take),
        (Some(mut stdout), _) => {
            let copy = thread::spawn(move || io::copy(&mut stdout, &mut io::stdout()));
            let overdue = wait(&mut child, &mut patience)?;
            if overdue.is_none() {
                // Nobody reads on after a broken pipe, and that is no failure of the guest.
                let _ = copy.join();
            }
            overdue
        }
        (None, _) => wait(&mut child, &mut patience)?,
    };
    if overdue.is_some() {
        child.kill().context("QEMU cannot be killed")?;
    }
    let status = child.wait().context("QEMU cannot be waited for")?;
    if let Some(stderr) = stderr {
        let _ = stderr.join();
    }
    ending(folder, overdue, status.success())
}

fn ending(folder: &Path, overdue: Option<Overdue>, success: bool) -> Result<Ending> {
    let console = fs::read(console(folder)).unwrap_or_default();
    let last_words = last_lines(&String::from_utf8_lossy(&console), LAST_WORDS);
    match overdue {
        Some(Overdue::Command) => return Ok(Ending::TimedOut(last_words)),
        Some(Overdue::Start) => return Ok(Ending::NotUp(last_words)),
        None => {}
    }
    let verdict = fs::read_to_string(verdict(folder)).unwrap_or_default();
    match verdict.trim().parse() {
        Ok(code) => Ok(Ending::Exited(code)),
        Err(_) if success => Ok(Ending::Died(last_words)),
        Err(_) => bail!("QEMU failed before its guest ended; it said why above"),
    }
}

/// Where the kernel's messages go.
pub(crate) fn console(folder: &Path) -> PathBuf {
    folder.join("console.log")
}

fn verdict(folder: &Path) -> PathBuf {
    folder.join("verdict")
}

fn command(guest: &Guest, initramfs: &Path, folder: &Path) -> Result<Command> {
    let mut command = Command::new("qemu-system-x86_64");
    // No hardware virtualisation: where it is nested it hangs more often than it helps.
    command
        .args([
            "-nodefaults",
            "-display",
            "none",
            "-monitor",
            "none",
            "-no-reboot",
        ])
        .args(["-machine", "q35,accel=tcg", "-cpu", &guest.machine.cpu])
        .args([
            "-smp",
            &guest.machine.cpus.to_string(),
            "-m",
            &guest.machine.memory,
        ])
        .arg("-kernel")
        .arg(guest.kernel.image())
        .arg("-initrd")
        .arg(initramfs)
        .args([
            "-append",
            &format!("{PARAMETERS} {}", guest.machine.parameters),
        ])
        .arg("-serial")
        .arg(format!("file:{}", console(folder).display()))
        .args(["-device", "virtio-serial-pci", "-chardev"])
        .arg(format!(
            "file,id=verdict,path={}",
            verdict(folder).display()
        ))
        .args(["-device", "virtserialport,chardev=verdict,name=verdict"]);
    for number in 0..guest.machine.disks {
        let disk = folder.join(format!("disk{number}"));
        File::create(&disk)
            .and_then(|file| file.set_len(DISK_BYTES))
            .with_context(|| format!("the scratch disk '{}' cannot be made", disk.display()))?;
        command.arg("-drive").arg(format!(
            "if=virtio,format=raw,cache=unsafe,discard=unmap,file={}",
            disk.display()
        ));
    }
    Ok(command)
}

/// Lets the kernel kill the child when the thread that starts it ends, so that a killed
/// `xtask` leaves no guest running.
fn dies_with_us(command: &mut Command) {
    // SAFETY: the closure runs between fork and exec and makes one system call, which is
    // safe there: it takes no lock and allocates nothing.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

/// Hands each line to `take` until the child closes its output or something is overdue.
fn pass_lines(
    stdout: ChildStdout,
    patience: &mut Patience,
    take: &mut (dyn FnMut(&str) + Send),
) -> Option<Overdue> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|bytes| bytes > 0)
        {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches(['\r', '\n'])
                .to_owned();
            line.clear();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    loop {
        match receiver.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => take(&line),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(overdue) = patience.ends() {
            return Some(overdue);
        }
    }
}

/// Waits for the child until something is overdue.
fn wait(child: &mut Child, patience: &mut Patience) -> Result<Option<Overdue>> {
    while child
        .try_wait()
        .context("QEMU cannot be waited for")?
        .is_none()
    {
        if let Some(overdue) = patience.ends() {
            return Ok(Some(overdue));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(None)
}

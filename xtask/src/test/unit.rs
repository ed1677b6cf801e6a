//! The unit ring: what needs no privilege and no kernel.

use std::{
    io::{BufRead, BufReader},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result};

use super::{
    outcome::Outcome,
    summary::{Summary, Tally},
};
use crate::{process::not_started, workspace};

/// Runs library, binary and documentation tests of all host crates.
///
/// # Errors
/// When cargo cannot be started or its output not be read.
pub(super) fn run(arguments: &[String]) -> Result<Outcome> {
    let mut sum = Outcome::default();
    for kinds in [&["--lib", "--bins"][..], &["--doc"]] {
        let mut cargo = workspace::cargo("test");
        cargo
            .args(["--workspace", "--no-fail-fast"])
            .args(kinds)
            .arg("--")
            .args(arguments);
        let (summary, tally) = echoed(&mut cargo)?;
        sum += Outcome::new("unit", tally, summary.failures());
    }
    Ok(sum)
}

/// Runs a command that prints what libtest prints, shows it, and adds it up. A failure
/// without any failed test, such as code that does not compile, counts as one.
///
/// # Errors
/// When the command cannot be started or its output not be read.
pub(super) fn echoed(command: &mut Command) -> Result<(Summary, Tally)> {
    let mut summary = Summary::default();
    let status = echo(command, |line| summary.take(line))?;
    let mut tally = summary.tally();
    if !status.success() && tally.failed == 0 {
        println!("the tests ended with {status}");
        tally.failed = 1;
    }
    Ok((summary, tally))
}

/// Runs a command, shows what it prints, and hands over each line.
///
/// # Errors
/// When the command cannot be started or its output not be read.
pub(super) fn echo(command: &mut Command, mut take: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .context("the tests' output cannot be read")?
            > 0
        {
            let text = String::from_utf8_lossy(&line);
            print!("{text}");
            take(text.trim_end());
            line.clear();
        }
    }
    child.wait().context("the tests cannot be waited for")
}

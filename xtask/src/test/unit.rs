//! The unit ring: what needs no privilege and no kernel.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::summary::{Summary, Tally};
use crate::{process::not_started, workspace};

/// Runs library, binary and documentation tests of all host crates.
///
/// # Errors
/// When cargo cannot be started or its output not be read.
pub(super) fn run(arguments: &[String]) -> Result<Tally> {
    let mut tally = Tally::default();
    for kinds in [&["--lib", "--bins"][..], &["--doc"]] {
        let mut cargo = workspace::cargo("test");
        cargo
            .args(["--workspace", "--no-fail-fast"])
            .args(kinds)
            .arg("--")
            .args(arguments);
        tally += echoed(&mut cargo)?;
    }
    Ok(tally)
}

/// Runs a command that prints what libtest prints, shows it, and adds it up. A failure
/// without any failed test, such as code that does not compile, counts as one.
///
/// # Errors
/// When the command cannot be started or its output not be read.
pub(super) fn echoed(command: &mut Command) -> Result<Tally> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    let mut summary = Summary::default();
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
            summary.take(text.trim_end());
            line.clear();
        }
    }
    let status = child.wait().context("the tests cannot be waited for")?;
    let mut tally = summary.tally();
    if !status.success() && tally.failed == 0 {
        println!("the tests ended with {status}");
        tally.failed = 1;
    }
    Ok(tally)
}

//! Builds sharestat and runs it as root.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
};

use anyhow::Result;

use crate::{
    build,
    process::{Run, as_root},
};

/// Runs the release binary with `arguments`; without any, `top`, or `scan` when our
/// output is not a terminal. Returns its exit code.
///
/// # Errors
/// When it cannot be built or started.
pub(crate) fn run(mut arguments: Vec<OsString>, without_bpf: bool) -> Result<i32> {
    let binary = build::release(without_bpf)?;
    if arguments.is_empty() {
        let command = if io::stdout().is_terminal() {
            "top"
        } else {
            "scan"
        };
        arguments.push(command.into());
    }
    let ending = as_root(binary).args(arguments).ending()?;
    Ok(crate::process::exit_code(ending))
}

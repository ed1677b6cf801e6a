//! The native ring: the integration tests as root on the machine's own kernel, against
//! the release binary that users run.

use std::path::PathBuf;

use anyhow::Result;

use super::{
    again::{self, SecondTry},
    outcome::Outcome,
    unit::{echo, echoed},
};
use crate::{
    build,
    cache::Cache,
    guest_build::Artifact,
    process::as_root,
    setup::{self, images, python},
    workspace,
};

/// Runs each test binary of `programs`, one after the other and one test at a time: they
/// share the page cache.
///
/// # Errors
/// When the release binary cannot be built, or a test binary not be started.
pub(super) fn run(programs: &[Artifact], arguments: &[String]) -> Result<Outcome> {
    let sharestat = build::release(false)?;
    // Tests that ask for something that cannot be had say that they are skipped.
    if let Err(error) = Cache::open().and_then(|cache| setup::for_native_tests(&cache)) {
        println!("not all could be provided: {error:#}");
    }
    let given = given();
    let mut sum = Outcome::default();
    for Artifact { name, path, .. } in programs.iter().filter(|program| program.test) {
        println!("\nnative: {name}");
        let command = || {
            // What tests say about being skipped goes to their standard error.
            let mut command = as_root("sh");
            command
                .args(["-c", "exec env \"$@\" 2>&1", "sh"])
                .arg(format!("SHARESTAT_BIN={}", sharestat.display()))
                .arg("RUST_BACKTRACE=1")
                .args(
                    given
                        .iter()
                        .map(|(variable, path)| format!("{variable}={}", path.display())),
                )
                .arg(path)
                .arg("--test-threads=1")
                .current_dir(workspace::root());
            command
        };
        let (summary, tally) = echoed(command().args(arguments))?;
        let mut failures = summary.failures();
        let due = again::is_due(&failures, tally.failed, arguments);
        for failure in &mut failures {
            name.clone_into(&mut failure.binary);
            if due {
                let mut second = SecondTry::default();
                echo(command().args(["--exact", &failure.name]), |line| {
                    second.take(line);
                })?;
                failure.end = second.end();
            }
        }
        sum += Outcome::new("native", tally, failures);
    }
    Ok(sum)
}

/// What tests find in their environment: a Python with packages, and root filesystems.
fn given() -> Vec<(&'static str, PathBuf)> {
    let mut given = Vec::new();
    let python = Cache::open().and_then(|cache| Ok((python::provide(&cache)?.0, cache)));
    let (python, cache) = match python {
        Ok(made) => made,
        Err(error) => {
            println!("without Python: {error:#}");
            return given;
        }
    };
    match images::provide(&cache, &python) {
        Ok((folder, _)) => given.push(("SHARESTAT_ROOT_FILESYSTEMS", folder)),
        Err(error) => println!("without root filesystems: {error:#}"),
    }
    given.push(("SHARESTAT_PYTHON", python));
    given
}

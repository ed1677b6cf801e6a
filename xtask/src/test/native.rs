//! The native ring: the integration tests as root on the machine's own kernel, against
//! the release binary that users run.

use std::path::PathBuf;

use anyhow::Result;

use super::{summary::Tally, unit::echoed};
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
pub(super) fn run(programs: &[Artifact], arguments: &[String]) -> Result<Tally> {
    let sharestat = build::release(false)?;
    // Tests that ask for something that cannot be had say that they are skipped.
    if let Err(error) = Cache::open().and_then(|cache| setup::for_native_tests(&cache)) {
        println!("not all could be provided: {error:#}");
    }
    let given = given();
    let mut tally = Tally::default();
    for Artifact { name, path, .. } in programs.iter().filter(|program| program.test) {
        println!("\nnative: {name}");
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
            .args(arguments)
            .current_dir(workspace::root());
        tally += echoed(&mut command)?;
    }
    Ok(tally)
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

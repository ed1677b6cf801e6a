//! The native ring: the integration tests as root on the machine's own kernel, against
//! the release binary that users run.

use anyhow::Result;

use super::{summary::Tally, unit::echoed};
use crate::{
    build,
    cache::Cache,
    guest_build::Artifact,
    process::as_root,
    setup::{self, python},
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
    let python = Cache::open().and_then(|cache| python::provide(&cache));
    if let Err(error) = &python {
        println!("without Python: {error:#}");
    }
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
                python
                    .iter()
                    .map(|(python, _)| format!("SHARESTAT_PYTHON={}", python.display())),
            )
            .arg(path)
            .arg("--test-threads=1")
            .args(arguments)
            .current_dir(workspace::root());
        tally += echoed(&mut command)?;
    }
    Ok(tally)
}

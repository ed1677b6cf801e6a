//! `cargo xtask demo-recording`: makes the recording that `sharestat demo` plays. Overlay
//! mounts on a filesystem of their own, over layers that hold the same files under other
//! names, are read as containers would; nothing of the host gets into the recording.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    build,
    process::{Run, as_root},
    workspace,
};

/// Where the scenario lives while it is recorded, so that paths in the recording read well.
const PLACE: &str = "/srv/demo";
/// Largest recording that may be put into the binary.
const MOST_BYTES: u64 = 100_000;

/// Builds, records the scenario and puts the recording where the next build embeds it.
///
/// # Errors
/// When the scenario cannot be mounted (needs root, loop devices and overlayfs) or
/// recorded.
pub(crate) fn record(binary: Option<PathBuf>) -> Result<()> {
    let binary = match binary {
        Some(binary) => binary,
        None => build::release(false)?,
    };
    ensure!(
        !Path::new(PLACE).exists(),
        "'{PLACE}' exists; it is needed for the scenario: move it away"
    );
    let work = workspace::target("demo");
    fs::create_dir_all(&work).with_context(|| format!("cannot create '{}'", work.display()))?;
    let script = work.join("scenario.sh");
    fs::write(&script, include_str!("demo.sh"))
        .with_context(|| format!("cannot write '{}'", script.display()))?;
    let recording = work.join("demo.ssr");
    // A host name of its own; the script unmounts whatever happens.
    let mut scenario: Command = as_root("unshare");
    scenario
        .args(["--uts", "sh", "-eu"])
        .args([&script, &binary, &work, &recording])
        .arg(PLACE);
    let recorded = scenario.run();
    as_root("rmdir").arg(PLACE).run()?;
    recorded?;
    let bytes =
        fs::read(&recording).with_context(|| format!("cannot read '{}'", recording.display()))?;
    ensure!(
        bytes.len() as u64 <= MOST_BYTES,
        "the recording has {} bytes; at most {MOST_BYTES} go into the binary",
        bytes.len()
    );
    let place = workspace::root().join("sharestat/demo/demo.ssr");
    fs::write(&place, &bytes).with_context(|| format!("cannot write '{}'", place.display()))?;
    eprintln!("{} bytes in '{}'", bytes.len(), place.display());
    Ok(())
}

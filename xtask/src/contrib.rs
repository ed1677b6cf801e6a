//! Checks what is in `contrib/` with the programs that will read it: promtool and
//! systemd-analyze. Where one is not to be had, that is said. What needs no program is
//! checked by the tests of sharestat.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    cache::Cache,
    process::Run,
    setup::{apt::Apt, host},
    workspace,
};

/// Runs all checks that can be run.
///
/// # Errors
/// When a program finds something wrong.
pub(crate) fn check() -> Result<()> {
    prometheus(&workspace::root().join("contrib/prometheus"))?;
    systemd(&workspace::root().join("contrib/systemd/sharestat.service"))
}

fn prometheus(folder: &Path) -> Result<()> {
    let promtool = match promtool() {
        Ok(promtool) => promtool,
        Err(error) => {
            eprintln!("skipped: rules and scrapes of Prometheus are not checked: {error:#}");
            return Ok(());
        }
    };
    for arguments in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
        ["check", "config", "scrape.yml"],
    ] {
        Command::new(&promtool)
            .args(arguments)
            .current_dir(folder)
            .run()?;
    }
    Ok(())
}

/// promtool: that of the system, else Debian's, unpacked into the cache.
fn promtool() -> Result<PathBuf> {
    if let Some(program) = host::find("promtool") {
        return Ok(program);
    }
    let cache = Cache::open()?;
    let folder = cache.folder("prometheus", |staging| {
        Apt::new(&cache)?.unpack(&["prometheus".to_owned()], staging)
    })?;
    let program = folder.join("usr/bin/promtool");
    Command::new(&program).arg("--version").text()?;
    Ok(program)
}

/// A unit must name a program that is there: in a copy, this one is.
fn systemd(unit: &Path) -> Result<()> {
    if host::find("systemd-analyze").is_none() {
        eprintln!("skipped: the unit of systemd is not checked: there is no systemd-analyze");
        return Ok(());
    }
    let text =
        fs::read_to_string(unit).with_context(|| format!("'{}' cannot be read", unit.display()))?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let copy = folder.path().join("sharestat.service");
    fs::write(&copy, text.replace("/usr/local/bin/sharestat", "/bin/sh"))
        .with_context(|| format!("'{}' cannot be written", copy.display()))?;
    Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&copy)
        .run()
}

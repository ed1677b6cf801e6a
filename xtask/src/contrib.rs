//! Checks what is in `contrib/` with the programs that will read it, promtool and
//! systemd-analyze, and by the schemas of Grafana and Kubernetes. Where one is not to be had,
//! that is said. What needs none is checked by the tests of sharestat.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    cache::Cache,
    process::Run,
    setup::{apt::Apt, host, python},
    workspace,
};

/// The most that `systemd-analyze security` may find the unit exposed, in per cent. Versions
/// of systemd differ by some tenths; what the unit needs makes up the rest: root,
/// `CAP_SYS_ADMIN`, BPF, the `/proc` of others and a socket.
const EXPOSED: &str = "40";

/// Runs all checks that can be run.
///
/// # Errors
/// When a program finds something wrong.
pub(crate) fn check() -> Result<()> {
    let contrib = workspace::root().join("contrib");
    prometheus(&contrib.join("prometheus"))?;
    schemas(&contrib)?;
    systemd(&contrib.join("systemd/sharestat.service"))
}

/// The dashboard and the daemon set.
fn schemas(folder: &Path) -> Result<()> {
    let python = match Cache::open().and_then(|cache| python::provide(&cache)) {
        Ok((python, _)) => python,
        Err(error) => {
            eprintln!("skipped: dashboard and daemon set are not held against schemas: {error:#}");
            return Ok(());
        }
    };
    Command::new(python)
        .arg(workspace::root().join("xtask/src/contrib/schemas.py"))
        .arg(folder.join("grafana/sharestat.json"))
        .arg(folder.join("kubernetes/daemonset.yaml"))
        .run()
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
    // A package of its own since Debian 13.
    let folder = cache.folder("promtool", |staging| {
        Apt::new(&cache)?.unpack(&["promtool".to_owned()], staging)
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
        .run()?;
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold"])
        .arg(EXPOSED)
        .arg(&copy)
        .text()?;
    eprintln!("{}", judged.lines().next_back().unwrap_or_default().trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_in_contrib_is_taken_by_those_who_read_it() {
        super::check().expect("nothing is wrong");
    }
}

//! A Python with the packages that read our files in tests: `DuckDB` for tables of pages,
//! jsonschema for documents, junitparser for test results; Grafana's types and Kubernetes' schemas for what is in
//! `contrib/`. From `PyPI`, pinned, in the cache.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use super::Step;
use crate::{cache::Cache, process::Run};

/// What is installed; a change of one makes a new folder.
const PACKAGES: [&str; 5] = [
    "duckdb==2.0.1",
    "jsonschema==4.26.0",
    "junitparser==5.0.3",
    "grafana-foundation-sdk==1769699998!10.1.0",
    "kubernetes-validate==1.37.0",
];

/// The program, in a folder of its own.
///
/// # Errors
/// When there is no `python3` with `venv`, or `PyPI` cannot be reached.
pub(crate) fn provide(cache: &Cache) -> Result<(PathBuf, Step)> {
    let packages = PACKAGES.join("-").replace("==", "-").replace('!', "-");
    let name = format!("python/{packages}");
    let what = format!("Python with {}", PACKAGES.join(", "));
    let (folder, step) = Step::folder(cache, &name, what, |folder| {
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(folder)
            .text()
            .context("by hand: apt-get install python3-venv")?;
        Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--no-input"])
            .args(["--disable-pip-version-check", "--only-binary", ":all:"])
            .args(PACKAGES)
            .text()
            .context("PyPI gave no packages")?;
        Ok(())
    })?;
    Ok((folder.join("bin/python"), step))
}

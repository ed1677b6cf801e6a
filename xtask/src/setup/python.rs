//! A Python with the packages that read our files in tests: `DuckDB` for tables of pages,
//! jsonschema for documents. From `PyPI`, pinned, in the cache.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use super::Step;
use crate::{cache::Cache, process::Run};

/// What is installed; a change of one makes a new folder.
const PACKAGES: [&str; 2] = ["duckdb==2.0.1", "jsonschema==4.26.0"];

/// The program, in a folder of its own.
///
/// # Errors
/// When there is no `python3` with `venv`, or `PyPI` cannot be reached.
pub(crate) fn provide(cache: &Cache) -> Result<(PathBuf, Step)> {
    let name = format!("python/{}", PACKAGES.join("-").replace("==", "-"));
    let what = format!("Python with {}", PACKAGES.join(" and "));
    let present = cache.path(&name).is_dir();
    let folder = cache
        .folder(&name, |folder| {
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
        })
        .with_context(|| format!("{what} cannot be had"))?;
    let step = if present {
        Step::present(what)
    } else {
        Step::made(what)
    };
    Ok((folder.join("bin/python"), step))
}

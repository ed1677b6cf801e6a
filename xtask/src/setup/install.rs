//! Installs Debian packages on the host, as root or through sudo, from the system's own
//! suites and, where asked, their backports. The system's apt configuration stays as it is.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use super::apt;
use crate::{
    cache::Cache,
    process::{Run, as_root},
};

/// The name of the system's release (`bookworm`).
pub(super) fn codename() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(name.trim_matches('"').to_owned())
}

/// Installs packages from the system's own suites, or with preference from `suite`.
///
/// # Errors
/// When apt cannot install one.
pub(super) fn packages(cache: &Cache, suite: Option<&str>, packages: &[&str]) -> Result<()> {
    let by_hand = || {
        let preference = suite
            .map(|suite| format!("-t {suite} "))
            .unwrap_or_default();
        format!(
            "'{0}' cannot be installed; by hand: apt-get install {preference}{0}",
            packages.join(" ")
        )
    };
    eprintln!("installing {}", packages.join(" "));
    let sources = host_sources(cache, suite).with_context(by_hand)?;
    let lists = sources.join("lists");
    let options = [
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        format!(
            "Dir::Etc::sourcelist={}",
            sources.join("sources.list").display()
        ),
        format!("Dir::State::lists={}", lists.display()),
        "APT::Sandbox::User=root".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Acquire::Retries=3".to_owned(),
        "DPkg::Lock::Timeout=300".to_owned(),
    ];
    let apt = |arguments: &[&str]| {
        let mut command = as_root("env");
        command.args([
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "--quiet",
            "--yes",
        ]);
        for option in &options {
            command.args(["-o", option]);
        }
        command.args(arguments);
        command
    };
    apt(&["update"]).text().with_context(by_hand)?;
    let mut arguments = vec!["install", "--no-install-recommends"];
    if let Some(suite) = suite {
        arguments.extend(["-t", suite]);
    }
    arguments.extend(packages);
    apt(&arguments).text().with_context(by_hand)?;
    Ok(())
}

/// A folder with a sources list of the system's own release and `suite`.
fn host_sources(cache: &Cache, suite: Option<&str>) -> Result<PathBuf> {
    let codename = codename().context("'/etc/os-release' names no release")?;
    let mut lines = String::new();
    let mut backports = None;
    for source in apt::system_sources()? {
        for own in source
            .suites
            .iter()
            .filter(|own| own.starts_with(&codename))
        {
            lines.push_str(&source.line(own));
            if *own == codename {
                backports = suite.map(|suite| source.line(suite));
            }
        }
    }
    let folder = cache.path("apt-host");
    lines.push_str(&backports.unwrap_or_default());
    fs::create_dir_all(folder.join("lists/partial"))
        .and_then(|()| fs::write(folder.join("sources.list"), lines))
        .with_context(|| format!("'{}' cannot be written", folder.display()))?;
    Ok(folder)
}

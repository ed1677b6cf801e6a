//! QEMU, new enough to run every kernel of ours without corrupting what it computes.

use std::process::Command;

use anyhow::{Result, bail};

use super::{Step, install};
use crate::{cache::Cache, process::Run};

/// Older ones corrupt what 6.12 guests compute, about every second boot.
const QEMU_MAJOR: u32 = 10;

/// Installs QEMU when it is missing or too old.
///
/// # Errors
/// When the system's suite and its backports have none that is new enough, or apt fails.
pub(crate) fn provide(cache: &Cache) -> Result<Step> {
    if let Some(version) = qemu_version() {
        if version >= QEMU_MAJOR {
            return Ok(Step::present(format!("QEMU {version}")));
        }
        eprintln!("QEMU {version} is too old: guests need {QEMU_MAJOR} or newer");
    }
    let backports =
        (install::codename().as_deref() == Some("bookworm")).then_some("bookworm-backports");
    install::packages(cache, backports, &["qemu-system-x86"])?;
    match qemu_version() {
        Some(version) if version >= QEMU_MAJOR => Ok(Step::made(format!("QEMU {version}"))),
        found => bail!(
            "guests need QEMU {QEMU_MAJOR} or newer, and after installing there is {}; by hand: \
             install one as 'qemu-system-x86_64'",
            found.map_or_else(|| "none".to_owned(), |version| version.to_string())
        ),
    }
}

fn qemu_version() -> Option<u32> {
    parse_qemu_version(
        &Command::new("qemu-system-x86_64")
            .arg("--version")
            .text()
            .ok()?,
    )
}

fn parse_qemu_version(text: &str) -> Option<u32> {
    text.strip_prefix("QEMU emulator version ")?
        .split('.')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemu_version_is_its_major_number() {
        let text = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright (c)\n";
        assert_eq!(parse_qemu_version(text), Some(10));
        assert_eq!(parse_qemu_version("something else"), None);
    }
}

//! Programs of the host: QEMU 10 to boot guests, and the filesystem tools that are
//! copied into them. Installed with apt, as root or through sudo, when absent.

use std::{env, fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use super::{
    Step,
    apt::{self, Apt},
};
use crate::{
    cache::Cache,
    process::{Run, as_root},
};

/// Older ones corrupt what 6.12 guests compute, about every second boot.
const QEMU_MAJOR: u32 = 10;

/// A program and the Debian package that has it.
pub(crate) struct HostTool {
    /// Name of the program.
    pub(crate) program: &'static str,
    package: &'static str,
    /// Whether it is copied into guests.
    pub(crate) in_guests: bool,
}

/// What guests and their preparation use.
pub(crate) const TOOLS: [HostTool; 15] = [
    guest_tool("mkfs.ext4", "e2fsprogs"),
    guest_tool("filefrag", "e2fsprogs"),
    guest_tool("mkfs.xfs", "xfsprogs"),
    guest_tool("xfs_io", "xfsprogs"),
    guest_tool("mkfs.btrfs", "btrfs-progs"),
    guest_tool("btrfs", "btrfs-progs"),
    guest_tool("mkfs.erofs", "erofs-utils"),
    guest_tool("mksquashfs", "squashfs-tools"),
    guest_tool("squashfuse_ll", "squashfuse"),
    guest_tool("fusermount3", "fuse3"),
    guest_tool("mount", "mount"),
    guest_tool("umount", "mount"),
    guest_tool("losetup", "mount"),
    HostTool {
        program: "depmod",
        package: "kmod",
        in_guests: false,
    },
    HostTool {
        program: "xz",
        package: "xz-utils",
        in_guests: false,
    },
];

const fn guest_tool(program: &'static str, package: &'static str) -> HostTool {
    HostTool {
        program,
        package,
        in_guests: true,
    }
}

/// Finds a program in the PATH or in the folders of system programs, which the PATH of
/// ordinary users lacks.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Installs the tools that are missing.
///
/// # Errors
/// When apt cannot install one.
pub(crate) fn provide_tools(cache: &Cache) -> Result<Step> {
    let what = "filesystem tools for guests".to_owned();
    let mut packages: Vec<&str> = TOOLS
        .iter()
        .filter(|tool| find(tool.program).is_none())
        .map(|tool| tool.package)
        .collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(Step::present(what));
    }
    install(cache, None, &packages)?;
    Ok(Step::made(what))
}

/// Installs QEMU when it is missing or too old.
///
/// # Errors
/// When the system's suite and its backports have none that is new enough, or apt fails.
pub(crate) fn provide_qemu(cache: &Cache) -> Result<Step> {
    if let Some(version) = qemu_version() {
        if version >= QEMU_MAJOR {
            return Ok(Step::present(format!("QEMU {version}")));
        }
        eprintln!("QEMU {version} is too old: guests need {QEMU_MAJOR} or newer");
    }
    let backports = (codename().as_deref() == Some("bookworm")).then_some("bookworm-backports");
    install(cache, backports, &["qemu-system-x86"])?;
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

/// The name of the system's release (`bookworm`).
fn codename() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(name.trim_matches('"').to_owned())
}

/// Installs packages from the system's own suites, or with preference from `suite`.
fn install(cache: &Cache, suite: Option<&str>, packages: &[&str]) -> Result<()> {
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

/// busybox, built static, from Debian into the cache: the Debian package would remove
/// the system's own busybox when installed.
///
/// # Errors
/// When it cannot be downloaded.
pub(crate) fn provide_busybox(cache: &Cache) -> Result<Step> {
    let present = busybox(cache).is_file();
    cache.folder(BUSYBOX, |staging| {
        Apt::new(cache)?.unpack(&["busybox-static".to_owned()], staging)
    })?;
    let what = "static busybox".to_owned();
    if !busybox(cache).is_file() {
        bail!(
            "Debian's 'busybox-static' holds no '{}'",
            busybox(cache).display()
        );
    }
    Ok(if present {
        Step::present(what)
    } else {
        Step::made(what)
    })
}

const BUSYBOX: &str = "busybox";

/// Where the static busybox is, once [`provide_busybox`] went well.
pub(crate) fn busybox(cache: &Cache) -> PathBuf {
    let folder = cache.path(BUSYBOX);
    let merged = folder.join("usr/bin/busybox");
    if merged.is_file() {
        merged
    } else {
        folder.join("bin/busybox")
    }
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

//! Programs of the host that go into guests or prepare them: filesystem tools, busybox.

use std::{env, path::PathBuf};

use anyhow::{Result, bail};

use super::{Step, apt::Apt, install};
use crate::cache::Cache;

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
    install::packages(cache, None, &packages)?;
    Ok(Step::made(what))
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
    Ok(Step::unless(present, what))
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

//! Packs what a guest finds at start: busybox, filesystem tools with their libraries,
//! kernel modules, our init, and the command to run with its files.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{Guest, cpio::Archive, modules};
use crate::{
    cache::Cache,
    process::Run,
    setup::host::{self, TOOLS},
};

/// Folders that things are mounted on, or that programs expect.
const FOLDERS: [&str; 9] = [
    "/proc",
    "/sys",
    "/dev",
    "/tmp",
    "/run",
    "/root",
    "/mnt",
    "/var/tmp",
    "/guest/modules",
];

/// A file of the host that is copied into a guest.
#[derive(Clone, Debug)]
pub(crate) struct Cargo {
    /// Where it is on the host.
    pub(crate) from: PathBuf,
    /// Where it is in the guest; executable.
    pub(crate) to: String,
}

/// Size of the terminal that an interactive guest talks to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TerminalSize {
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

/// Writes the archive for `guest` to `output`.
///
/// # Errors
/// When something that goes in cannot be read, or the archive cannot be written.
pub(crate) fn write(
    output: &Path,
    cache: &Cache,
    guest: &Guest,
    terminal: Option<TerminalSize>,
) -> Result<()> {
    let unwritable = || {
        format!(
            "the guest's archive '{}' cannot be written",
            output.display()
        )
    };
    let file = File::create(output).with_context(unwritable)?;
    let mut archive = Archive::new(BufWriter::new(file));
    for folder in FOLDERS {
        archive.folder(folder).with_context(unwritable)?;
    }
    archive
        .file("/init", 0o755, include_bytes!("init.sh"))
        .with_context(unwritable)?;
    add_busybox(&mut archive, cache)?;
    for tool in TOOLS.iter().filter(|tool| tool.in_guests) {
        add_tool(&mut archive, tool.program)?;
    }
    for (number, module) in modules::read(&guest.kernel)?.into_iter().enumerate() {
        let path = format!("/guest/modules/{number:02}-{}", module.name);
        archive
            .file(&path, 0o644, &module.bytes)
            .with_context(unwritable)?;
    }
    for (path, content) in [
        (
            "/etc/passwd",
            "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n".to_owned(),
        ),
        ("/etc/group", "root:x:0:\nnogroup:x:65534:\n".to_owned()),
        ("/guest/settings", settings(terminal)),
        ("/guest/command", guest.command.clone()),
    ] {
        archive
            .file(path, 0o644, content.as_bytes())
            .with_context(unwritable)?;
    }
    archive
        .link("/etc/mtab", "/proc/self/mounts")
        .with_context(unwritable)?;
    add_file(
        &mut archive,
        Path::new("/etc/mke2fs.conf"),
        "/etc/mke2fs.conf",
        0o644,
    )?;
    for Cargo { from, to } in &guest.cargo {
        add_file(&mut archive, from, to, 0o755)?;
    }
    archive.finish().with_context(unwritable)?;
    Ok(())
}

fn settings(terminal: Option<TerminalSize>) -> String {
    terminal.map_or_else(
        || "terminal=0\n".to_owned(),
        |TerminalSize { rows, columns }| format!("terminal=1\nrows={rows}\ncolumns={columns}\n"),
    )
}

fn add_busybox<W: Write>(archive: &mut Archive<W>, cache: &Cache) -> Result<()> {
    let busybox = host::busybox(cache);
    add_file(archive, &busybox, "/bin/busybox", 0o755)?;
    for applet in Command::new(&busybox).arg("--list").text()?.lines() {
        if applet != "busybox" {
            archive
                .link(&format!("/bin/{applet}"), "busybox")
                .context("the guest's archive cannot be written")?;
        }
    }
    Ok(())
}

/// Adds a program of the host to `/usr/bin`, and its libraries where they are here.
fn add_tool<W: Write>(archive: &mut Archive<W>, program: &str) -> Result<()> {
    let path = host::find(program)
        .with_context(|| format!("'{program}' is not installed; run 'cargo xtask setup'"))?;
    add_file(archive, &path, &format!("/usr/bin/{program}"), 0o755)?;
    // A program without libraries is an error for ldd, and none for us.
    let libraries = Command::new("ldd")
        .arg(&path)
        .env_remove("LD_LIBRARY_PATH")
        .text()
        .unwrap_or_default();
    for library in libraries.lines().filter_map(library_path) {
        add_library(archive, Path::new(library))?;
        if let Some(folder) = library.strip_suffix("libc.so.6") {
            // glibc opens it by name when a thread ends; ldd does not know.
            add_library(archive, &Path::new(folder).join("libgcc_s.so.1"))?;
        }
    }
    Ok(())
}

/// Adds a library where it is here, unless it is in already or does not exist.
fn add_library<W: Write>(archive: &mut Archive<W>, path: &Path) -> Result<()> {
    let name = path.to_string_lossy();
    if archive.contains(&name) || !path.is_file() {
        return Ok(());
    }
    add_file(archive, path, &name, 0o755)
}

/// The path in a line of ldd: `name => PATH (address)` or `PATH (address)`.
fn library_path(line: &str) -> Option<&str> {
    let (rest, _) = line.trim().rsplit_once(" (0x")?;
    let path = rest.rsplit(" => ").next()?;
    path.starts_with('/').then_some(path)
}

fn add_file<W: Write>(archive: &mut Archive<W>, from: &Path, to: &str, mode: u32) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("'{}' cannot be read", from.display()))?;
    archive
        .file(to, mode, &bytes)
        .with_context(|| format!("'{to}' cannot be added to the guest's archive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_ldd() {
        let paths = [
            "\tlinux-vdso.so.1 (0x00007ffd3a5f2000)",
            "\tlibuuid.so.1 => /lib/x86_64-linux-gnu/libuuid.so.1 (0x00007f0c5a3c2000)",
            "\t/lib64/ld-linux-x86-64.so.2 (0x00007f0c5a5f6000)",
            "\tlibgone.so => not found",
            "\tstatically linked",
        ]
        .map(library_path);
        assert_eq!(
            paths,
            [
                None,
                Some("/lib/x86_64-linux-gnu/libuuid.so.1"),
                Some("/lib64/ld-linux-x86-64.so.2"),
                None,
                None,
            ]
        );
    }
}

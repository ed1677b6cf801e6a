//! The compiler that builds sharestat: its version, its LLVM and its folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{process::Run, workspace};

/// The compiler as `rustc -vV` and `rustc --print sysroot` describe it.
#[derive(Debug)]
pub(crate) struct Compiler {
    /// `1.95.0`.
    pub(crate) version: String,
    /// Major version of the LLVM it was built with.
    pub(crate) llvm_major: u32,
    /// Folder of the toolchain.
    pub(crate) sysroot: PathBuf,
}

impl Compiler {
    /// Asks the compiler that this work tree uses.
    ///
    /// # Errors
    /// When it cannot be run, or describes itself in another way than stable rustc does.
    pub(crate) fn current() -> Result<Self> {
        let rustc = |arguments: &[&str]| {
            Command::new("rustc")
                .args(arguments)
                .current_dir(workspace::root())
                .text()
        };
        let description = rustc(&["-vV"])?;
        let (version, llvm_major) = parse(&description)
            .with_context(|| format!("'rustc -vV' says nothing about its LLVM:\n{description}"))?;
        let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?.trim());
        Ok(Self {
            version,
            llvm_major,
            sysroot,
        })
    }

    /// The LLVM library that the compiler itself runs on.
    ///
    /// # Errors
    /// When the toolchain has none (distributions link the system's).
    pub(crate) fn llvm_library(&self) -> Result<PathBuf> {
        let folder = self.sysroot.join("lib");
        let prefix = format!("libLLVM.so.{}", self.llvm_major);
        fs::read_dir(&folder)
            .with_context(|| format!("'{}' cannot be read", folder.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| name(path).starts_with(&prefix))
            .with_context(|| {
                format!(
                    "'{}' has no '{prefix}*': the BPF linker is built on the compiler's own \
                     LLVM; use a toolchain that rustup installed",
                    folder.display()
                )
            })
    }

    /// Where cargo looks for the sources of the standard library.
    pub(crate) fn sources(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust")
    }
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

fn parse(description: &str) -> Option<(String, u32)> {
    let field = |name: &str| {
        description
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let llvm_major = field("LLVM version")?.split('.').next()?.parse().ok()?;
    Some((field("release")?.to_owned(), llvm_major))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn description_is_read() {
        let description = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: \
                           x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        assert_eq!(parse(description), Some(("1.95.0".to_owned(), 22)));
        assert_eq!(parse("rustc 1.95.0\nrelease: 1.95.0\n"), None);
    }
}

//! `bpf-linker`, built on the compiler's own LLVM library: the reader of the bitcode is
//! then the same as its writer, and no LLVM package is needed.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{Step, compiler::Compiler};
use crate::{cache::Cache, process::Run, workspace};

/// The version that is known to build what we need.
const VERSION: &str = "0.13.0";

/// Where the linker for `compiler` is, once [`provide`] went well.
pub(crate) fn path(cache: &Cache, compiler: &Compiler) -> PathBuf {
    cache.path(folder(compiler)).join("bin/bpf-linker")
}

/// Builds the linker when it is not there, two to four minutes on two cores.
///
/// # Errors
/// When the toolchain has no LLVM library of its own, or the build fails.
pub(crate) fn provide(cache: &Cache, compiler: &Compiler) -> Result<Step> {
    let linker = path(cache, compiler);
    let what = format!("bpf-linker {VERSION} on LLVM {}", compiler.llvm_major);
    if linker.is_file() {
        return runs(&linker).map(|()| Step::present(what));
    }
    eprintln!("building {what}: a few minutes, once");
    cache.folder(&folder(compiler), |staging| install(compiler, staging)).with_context(|| {
        format!(
            "bpf-linker cannot be had; by hand: see what is missing above, then run 'cargo xtask \
             setup' again, or work without BPF: 'cargo xtask build --without-bpf'. It is wanted at \
             '{}'",
            linker.display()
        )
    })?;
    runs(&linker).map(|()| Step::made(what))
}

/// The library is found through the toolchain's path, so each toolchain has its linker.
fn folder(compiler: &Compiler) -> String {
    let toolchain = compiler
        .sysroot
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    format!("bpf-linker/{VERSION}-rust-{}-{toolchain}", compiler.version)
}

fn runs(linker: &Path) -> Result<()> {
    Command::new(linker)
        .arg("--version")
        .env_remove("LD_LIBRARY_PATH")
        .text()
        .with_context(|| {
            format!(
                "the BPF linker does not run; remove '{}' and run 'cargo xtask setup' again",
                linker.display()
            )
        })?;
    Ok(())
}

fn install(compiler: &Compiler, staging: &Path) -> Result<()> {
    let source = compiler.llvm_library()?;
    let llvm = tempfile::tempdir().context("no temporary folder can be made")?;
    let library = llvm.path().join("lib");
    fs::create_dir(&library)
        .and_then(|()| symlink(&source, library.join("libLLVM.so")))
        .with_context(|| {
            format!(
                "'{}' cannot be linked to '{}'",
                library.display(),
                source.display()
            )
        })?;
    let build = tempfile::tempdir().context("no temporary folder can be made")?;
    let mut flags = format!("-L {} ", library.display());
    flags.push_str("-C link-arg=-Wl,-rpath,");
    flags.push_str(&compiler.sysroot.join("lib").to_string_lossy());
    let ending = workspace::cargo("install")
        .args([
            "bpf-linker",
            "--version",
            VERSION,
            "--locked",
            "--no-default-features",
            "--features",
        ])
        .arg(format!("llvm-{}", compiler.llvm_major))
        .arg("--root")
        .arg(staging)
        .env("LLVM_PREFIX", llvm.path())
        .env("RUSTFLAGS", flags)
        .env("CARGO_TARGET_DIR", build.path())
        .ending()?;
    if !ending.success() {
        bail!("'cargo install bpf-linker' failed: {ending}");
    }
    Ok(())
}

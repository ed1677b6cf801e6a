//! The sources of the standard library, of exactly the compiler's version: `core` is
//! built from them for BPF.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use super::{Step, apt::Apt, compiler::Compiler};
use crate::{cache::Cache, process::Run, workspace};

/// Provides the sources: those of the toolchain, else of rustup, else of Debian.
///
/// # Errors
/// When none of the three can be had.
pub(crate) fn provide(cache: &Cache, compiler: &Compiler) -> Result<Step> {
    let link = compiler.sources();
    if usable(&link, &compiler.version) {
        return Ok(Step::present(format!("rust-src {}", compiler.version)));
    }
    let _lock = cache.lock("rust-src")?;
    if usable(&link, &compiler.version) {
        return Ok(Step::present(format!("rust-src {}", compiler.version)));
    }
    let from_rustup = with_rustup(compiler);
    if from_rustup.is_ok() && usable(&link, &compiler.version) {
        return Ok(Step::made(format!(
            "rust-src {} from rustup",
            compiler.version
        )));
    }
    let from_debian = with_debian(cache, compiler);
    if let (Err(rustup), Err(debian)) = (from_rustup, from_debian) {
        bail!(
            "the sources of Rust {version} cannot be had.\n  from rustup: {rustup:#}\n  from \
             Debian: {debian:#}\nby hand: unpack the library sources of Rust {version} and link \
             them at '{link}', so that '{link}/library/core' exists",
            version = compiler.version,
            link = link.display(),
        );
    }
    if !usable(&link, &compiler.version) {
        bail!(
            "'{}' still has no 'library/core' after all steps went well",
            link.display()
        );
    }
    Ok(Step::made(format!("rust-src {}", compiler.version)))
}

/// Whether the sources are there; a folder that names another version in its path was
/// linked for an older compiler, and its `core` does not build.
fn usable(link: &Path, version: &str) -> bool {
    let Ok(real) = fs::canonicalize(link) else {
        return false;
    };
    let other_version = real
        .file_name()
        .and_then(|name| name.to_str()?.strip_prefix("rustc-"))
        .is_some_and(|named| named != version);
    !other_version && real.join("library/core/Cargo.toml").is_file()
}

fn with_rustup(compiler: &Compiler) -> Result<()> {
    let toolchain = compiler
        .sysroot
        .file_name()
        .context("the toolchain has no name")?;
    Command::new("timeout")
        .args([
            "120",
            "rustup",
            "component",
            "add",
            "rust-src",
            "--toolchain",
        ])
        .arg(toolchain)
        .env("RUSTUP_MAX_RETRIES", "1")
        .current_dir(workspace::root())
        .text()?;
    Ok(())
}

fn with_debian(cache: &Cache, compiler: &Compiler) -> Result<()> {
    let version = &compiler.version;
    let unpacked = cache.folder(&format!("rust-src/{version}"), |staging| {
        let apt = Apt::new(cache)?;
        let wanted = apt
            .versions("rust-src")?
            .into_iter()
            .find(|candidate| candidate.starts_with(&format!("{version}+")))
            .with_context(|| format!("no Debian suite has 'rust-src' {version}"))?;
        apt.unpack(&[format!("rust-src={wanted}")], staging)
    })?;
    let sources = unpacked.join(format!("usr/src/rustc-{version}"));
    let link = compiler.sources();
    let parent = link
        .parent()
        .context("the toolchain has no folder for sources")?;
    fs::create_dir_all(parent)
        .and_then(|()| match fs::symlink_metadata(&link) {
            Ok(old) if old.is_symlink() => fs::remove_file(&link),
            _ => Ok(()),
        })
        .and_then(|()| symlink(&sources, &link))
        .with_context(|| {
            format!(
                "'{}' cannot be linked; by hand: sudo ln -sfn {} {}",
                link.display(),
                sources.display(),
                link.display()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_another_version_are_not_usable() {
        let folder = tempfile::tempdir().expect("the system has a temporary folder");
        let core = folder.path().join("rustc-1.95.0/library/core");
        fs::create_dir_all(&core).expect("the folder is ours");
        fs::write(core.join("Cargo.toml"), "").expect("the folder is ours");
        let link = folder.path().join("rust");
        symlink(folder.path().join("rustc-1.95.0"), &link).expect("the folder is ours");
        assert!(usable(&link, "1.95.0"));
        assert!(!usable(&link, "1.96.0"));
        assert!(!usable(&folder.path().join("absent"), "1.95.0"));
    }
}

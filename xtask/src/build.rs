//! Builds the BPF object, then the release binary that carries it.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::{
    cache::Cache,
    process::Run,
    setup::{self, compiler::Compiler, linker},
    workspace,
};

/// The target of the BPF crate.
const BPF_TARGET: &str = "bpfel-unknown-none";

/// Builds `target/release/sharestat` and returns its path.
///
/// # Errors
/// When the tool-chain cannot be had or something does not compile.
pub(crate) fn release(without_bpf: bool) -> Result<PathBuf> {
    let mut cargo = workspace::cargo("build");
    cargo.args(["--package", "sharestat", "--bin", "sharestat", "--release"]);
    if without_bpf {
        cargo.env(
            "SHARESTAT_BPF_OBJECT",
            workspace::target("bpf/built-without-bpf"),
        );
    } else {
        cargo.env("SHARESTAT_BPF_OBJECT", bpf_object()?);
    }
    cargo.run()?;
    Ok(workspace::release_binary())
}

/// Builds the BPF object, after providing what that needs, and returns its path.
///
/// The file is touched only when its bytes changed, so that nothing that embeds it is
/// built again without need.
///
/// # Errors
/// When the tool-chain cannot be had or the BPF crate does not compile.
pub(crate) fn bpf_object() -> Result<PathBuf> {
    let cache = Cache::open()?;
    let (compiler, _) = setup::for_building(&cache).context(
        "the BPF programs cannot be built here; without them: 'cargo xtask build --without-bpf'",
    )?;
    let output = workspace::target("bpf-build");
    let mut cargo = bpf_cargo("build", &cache, &compiler);
    cargo
        .args(["--bin", "sharestat-bpf", "--release", "--target-dir"])
        .arg(&output);
    cargo.run()?;
    let built = output.join(BPF_TARGET).join("release/sharestat-bpf");
    let object = workspace::bpf_object();
    let bytes =
        fs::read(&built).with_context(|| format!("'{}' cannot be read", built.display()))?;
    if fs::read(&object).is_ok_and(|old| old == bytes) {
        return Ok(object);
    }
    let folder = workspace::target("bpf");
    let fresh = folder.join("sharestat-bpf.new");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&fresh, bytes))
        .and_then(|()| fs::rename(&fresh, &object))
        .with_context(|| format!("'{}' cannot be written", object.display()))?;
    Ok(object)
}

/// `cargo SUBCOMMAND` for the BPF crate.
///
/// `build-std` is a nightly feature that the stable compiler has under
/// `RUSTC_BOOTSTRAP`. Without `--btf` the kernel refuses `bpf_loop` callbacks and fentry;
/// `v3` instructions are known to every kernel that has a ring buffer.
pub(crate) fn bpf_cargo(
    subcommand: &str,
    cache: &Cache,
    compiler: &Compiler,
) -> std::process::Command {
    let mut cargo = workspace::cargo(subcommand);
    cargo
        .args(["--package", "sharestat-ebpf", "--features", "bpf"])
        .args(["--target", BPF_TARGET, "-Z", "build-std=core"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env(
            "CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER",
            linker::path(cache, compiler),
        )
        .env(
            "CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS",
            "-C debuginfo=2 -C target-cpu=v3 -C link-arg=--btf",
        );
    cargo
}

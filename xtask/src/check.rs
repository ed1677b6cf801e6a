//! What must hold before a change is merged, beside its tests: format, lints and
//! documentation, warnings denied, of the host crates and of the BPF crate.

use anyhow::Result;

use crate::{build, cache::Cache, contrib, process::Run, setup, workspace};

/// Runs all checks; the first that fails ends it.
///
/// # Errors
/// When a check fails or cannot be run.
pub(crate) fn run() -> Result<()> {
    let step = |name: &str| eprintln!("checking {name}");
    step("format");
    workspace::cargo("fmt").args(["--all", "--check"]).run()?;
    step("lints of the host crates");
    workspace::cargo("clippy")
        .args(["--workspace", "--all-targets", "--", "--deny", "warnings"])
        .run()?;
    step("lints of the BPF crate");
    let cache = Cache::open()?;
    let (compiler, _) = setup::for_building(&cache)?;
    build::bpf_cargo("clippy", &cache, &compiler)
        .args(["--bin", "sharestat-bpf", "--release", "--target-dir"])
        .arg(workspace::target("bpf-build"))
        .args(["--", "--deny", "warnings"])
        .run()?;
    step("contrib");
    contrib::check()?;
    step("documentation");
    workspace::cargo("doc")
        .args(["--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "--deny warnings")
        .run()
}

//! Where things are in the work tree, and cargo called for it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Environment variables of an outer cargo call that would change what an inner one builds.
const LEAKING: [&str; 6] = [
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "SHARESTAT_BPF_OBJECT",
    "LD_LIBRARY_PATH",
];

/// The root of the work tree that this `xtask` was built from.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// A path below `target`.
pub(crate) fn target(relative: &str) -> PathBuf {
    root().join("target").join(relative)
}

/// The release binary that users run.
pub(crate) fn release_binary() -> PathBuf {
    target("release/sharestat")
}

/// The BPF object that `sharestat/build.rs` embeds.
pub(crate) fn bpf_object() -> PathBuf {
    target("bpf/sharestat-bpf")
}

/// `cargo SUBCOMMAND` at the root, with the toolchain that runs us and none of the
/// settings of the cargo that started us.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.arg(subcommand).current_dir(root());
    for variable in LEAKING {
        command.env_remove(variable);
    }
    command
}

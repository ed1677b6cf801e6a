//! Embeds the BPF object that `cargo xtask build` left in `target/bpf`, when there is one.
//!
//! Without it the crate still builds (cfg `without_bpf`), and the binary says so: the
//! pure parts can be worked on without the BPF linker.

use std::{env, path::PathBuf};

fn main() {
    println!("cargo::rustc-check-cfg=cfg(without_bpf)");
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
    println!("cargo::rerun-if-env-changed=SHARESTAT_BPF_OBJECT");
    let object = env::var_os("SHARESTAT_BPF_OBJECT").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/sharestat-bpf"),
        PathBuf::from,
    );
    println!("cargo::rerun-if-changed={}", object.display());
    if object.is_file() {
        println!("cargo::rustc-env=SHARESTAT_BPF_OBJECT={}", object.display());
    } else {
        println!("cargo::rustc-cfg=without_bpf");
    }
}

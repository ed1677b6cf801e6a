//! Which kernel modules a guest needs, in the order in which they can be loaded.
//! Reads `modules.dep` as `depmod(8)` writes it.

use std::{collections::HashMap, fs, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::{process::Run, setup::kernels::Kernel};

/// What guests use. A kernel that has one built in, or does without it, has no such
/// module; the guest's init says which filesystems are missing in the end.
const WANTED: [&str; 13] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    // btrfs asks the crypto layer for these by name on older kernels.
    "crc32c_intel",
    "xxhash_generic",
    "blake2b_generic",
    "loop",
    "overlay",
    "erofs",
    "xfs",
    "btrfs",
    "squashfs",
    "fuse",
];

/// A module, ready to be loaded.
#[derive(Debug)]
pub(crate) struct Module {
    /// Its name with the ending `.ko`.
    pub(crate) name: String,
    /// The uncompressed object.
    pub(crate) bytes: Vec<u8>,
}

/// Reads the modules that guests use from `kernel`, dependencies first.
///
/// # Errors
/// When a file cannot be read or decompressed.
pub(crate) fn read(kernel: &Kernel) -> Result<Vec<Module>> {
    let folder = kernel.modules();
    let list = folder.join("modules.dep");
    let text = fs::read_to_string(&list)
        .with_context(|| format!("'{}' cannot be read", list.display()))?;
    load_order(&text, &WANTED)
        .into_iter()
        .map(|path| {
            Ok(Module {
                name: format!("{}.ko", module_name(path)),
                bytes: uncompressed(&folder.join(path))?,
            })
        })
        .collect()
}

/// The paths of the `wanted` modules and of all that they depend on, each once and after
/// those that it depends on.
fn load_order<'a>(modules_dep: &'a str, wanted: &[&str]) -> Vec<&'a str> {
    let by_name: HashMap<String, (&str, &str)> = modules_dep
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(path, dependencies)| (module_name(path), (path, dependencies)))
        .collect();
    let mut order = Vec::new();
    for name in wanted {
        let Some((path, dependencies)) = by_name.get(*name) else {
            continue;
        };
        // depmod lists all dependencies, indirect ones too, the deepest last.
        for path in dependencies.split_whitespace().rev().chain([*path]) {
            if !order.contains(&path) {
                order.push(path);
            }
        }
    }
    order
}

/// `kernel/crypto/crc32c-intel.ko.xz` is the module `crc32c_intel`.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

fn uncompressed(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_some_and(|extension| extension == "xz") {
        return Command::new("xz")
            .args(["--decompress", "--stdout"])
            .arg(path)
            .bytes();
    }
    fs::read(path).with_context(|| format!("'{}' cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULES_DEP: &str = "\
kernel/fs/xfs/xfs.ko.xz: kernel/lib/libcrc32c.ko.xz
kernel/lib/libcrc32c.ko.xz:
kernel/lib/raid6/raid6_pq.ko.xz:
kernel/crypto/xor.ko.xz:
kernel/crypto/crc32c-intel.ko.xz:
kernel/fs/btrfs/btrfs.ko.xz: kernel/crypto/xor.ko.xz kernel/lib/raid6/raid6_pq.ko.xz kernel/lib/libcrc32c.ko.xz
kernel/fs/fat/fat.ko.xz:
";

    #[test]
    fn dependencies_come_first_and_once() {
        assert_eq!(
            load_order(MODULES_DEP, &["xfs", "btrfs"]),
            [
                "kernel/lib/libcrc32c.ko.xz",
                "kernel/fs/xfs/xfs.ko.xz",
                "kernel/lib/raid6/raid6_pq.ko.xz",
                "kernel/crypto/xor.ko.xz",
                "kernel/fs/btrfs/btrfs.ko.xz",
            ]
        );
    }

    #[test]
    fn built_in_modules_are_passed_over() {
        assert_eq!(
            load_order(MODULES_DEP, &["fuse", "crc32c_intel"]),
            ["kernel/crypto/crc32c-intel.ko.xz"]
        );
    }
}

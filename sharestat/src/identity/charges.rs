//! The page cache that is charged to each container, as its memory cgroup counts it:
//! `file` in `memory.stat` (cgroup v2), `total_cache` (v1). Who touched a page first is
//! charged, so a shared layer is charged to one container only.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use super::{cgroups::container_of, mounts::MountTable};
use crate::model::{
    layers::{ContainerId, Layers},
    units::Bytes,
};

/// Deeper cgroups are not looked at.
const MAX_DEPTH: usize = 16;

/// What is charged to the containers that have a cgroup now. Costs nothing where there
/// are no containers.
#[must_use]
pub fn read(mounts: &MountTable, layers: &Layers) -> HashMap<ContainerId, Bytes> {
    if layers.containers.is_empty() {
        return HashMap::new();
    }
    let of_type = |wanted: &str| {
        let mut found = mounts.visible().filter(|mount| mount.fs_type == wanted);
        let charges = |name: &[u8]| name == b"memory";
        match wanted {
            "cgroup" => found.find(|mount| {
                let mut options = mount.super_options.iter();
                options.any(|(name, _)| charges(name))
            }),
            _ => found.next(),
        }
    };
    let root = of_type("cgroup").or_else(|| of_type("cgroup2"));
    root.map_or_else(HashMap::new, |mount| below(&mount.mount_point, layers))
}

/// What is charged below one directory: a container's outermost cgroup counts, which
/// includes those inside it.
fn below(root: &Path, layers: &Layers) -> HashMap<ContainerId, Bytes> {
    let known = layers.containers_by_id();
    let mut charged = HashMap::new();
    let mut open: Vec<(PathBuf, usize)> = vec![(PathBuf::from("/"), 0)];
    while let Some((path, depth)) = open.pop() {
        let here = root.join(path.strip_prefix("/").unwrap_or(&path));
        if let Some(container) = container_of(&path, &known) {
            if let Some(bytes) = charge(&here) {
                *charged.entry(container).or_default() += bytes;
            }
            continue;
        }
        let entries = fs::read_dir(&here).into_iter().flatten().flatten();
        for entry in entries {
            if depth < MAX_DEPTH && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push((path.join(entry.file_name()), depth + 1));
            }
        }
    }
    charged
}

/// The page cache charged to a cgroup and those below it.
fn charge(cgroup: &Path) -> Option<Bytes> {
    charged(&fs::read_to_string(cgroup.join("memory.stat")).ok()?)
}

/// The page cache that a `memory.stat` tells of.
pub(super) fn charged(text: &str) -> Option<Bytes> {
    let value = |wanted: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let (_, value) = lines.find(|(name, _)| *name == wanted)?;
        value.trim().parse().ok()
    };
    value("total_cache").or_else(|| value("file")).map(Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::layers::{Container, Runtime};

    const ID: &str = "800bec12fb99a43bf9fa69943a466f8d396323b1e9e872c66e9a1a21b32149f1";

    #[test]
    fn the_outermost_cgroup_of_a_container_counts_once() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let scope = format!("machine.slice/libpod-{ID}.scope");
        for (path, stat) in [
            ("machine.slice".to_owned(), "anon 1\nfile 999\n"),
            (scope.clone(), "anon 1\nfile 40960\nfile_mapped 5\n"),
            (format!("{scope}/container"), "file 4096\n"),
        ] {
            let directory = root.path().join(path);
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join("memory.stat"), stat).expect("a file");
        }
        let container = |id: &str| Container {
            id: id.to_owned(),
            name: None,
            runtime: Runtime::Podman,
            image: None,
            image_name: None,
            pod: None,
            layers: Vec::new(),
        };
        let layers = Layers {
            containers: vec![container("other"), container(ID)],
            ..Layers::default()
        };
        let expected = HashMap::from([(ContainerId(1), Bytes(40960))]);
        assert_eq!(below(root.path(), &layers), expected);
    }

    #[test]
    fn cgroup_v1_says_cache() {
        let cgroup = tempfile::tempdir().expect("a temporary directory");
        let stat = "cache 1\nrss 2\ntotal_cache 8192\n";
        fs::write(cgroup.path().join("memory.stat"), stat).expect("a file");
        assert_eq!(charge(cgroup.path()), Some(Bytes(8192)));
        assert_eq!(charge(Path::new("/no/such/cgroup")), None);
    }
}

//! Whether mounts or stores have changed since a layer index was made, so that it is made
//! anew only then. Looks at a few dozen files and reads the mount table; no daemon is
//! asked, and nothing is watched on the hot path.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::runtimes::StoreRoots;

/// Files and directories that change when a layer, an image or a container comes or goes.
const DOCKER: [&str; 4] = [
    "image/overlay2/repositories.json",
    "image/overlay2/layerdb/sha256",
    "image/overlay2/layerdb/mounts",
    "containers",
];
const CONTAINERD: [&str; 1] = ["io.containerd.metadata.v1.bolt/meta.db"];
const CONTAINERS_STORAGE: [&str; 5] = [
    "overlay-layers/layers.json",
    "overlay-layers/volatile-layers.json",
    "overlay-images/images.json",
    "overlay-containers/containers.json",
    "overlay-containers/volatile-containers.json",
];

/// What mounts and stores looked like at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    mounts: Mounts,
    watched: Vec<PathBuf>,
    stores: u64,
}

/// What the mounts of this process looked like at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mounts {
    proc: PathBuf,
    seen: u64,
}

impl Mounts {
    /// Looks at the mounts.
    pub(super) fn look(proc: &Path) -> Self {
        let mut digest = DefaultHasher::new();
        fs::read(proc.join("self/mountinfo")).ok().hash(&mut digest);
        Self {
            proc: proc.to_path_buf(),
            seen: digest.finish(),
        }
    }
}

impl Stamp {
    /// Looks at the stores; the mounts were looked at before the stores were known.
    pub(super) fn take(mounts: Mounts, roots: &StoreRoots) -> Self {
        let StoreRoots {
            docker,
            containerd,
            containers_storage,
            flatpak,
        } = roots;
        let below = |roots: &[PathBuf], names: &[&str]| -> Vec<PathBuf> {
            let all = |root: &PathBuf| names.iter().map(|name| root.join(name)).collect::<Vec<_>>();
            roots.iter().flat_map(all).collect()
        };
        let watched = [
            below(docker, &DOCKER),
            below(containerd, &CONTAINERD),
            below(containers_storage, &CONTAINERS_STORAGE),
            below(flatpak, &["app", "runtime"]),
        ]
        .concat();
        let stores = look(&watched);
        Self {
            mounts,
            watched,
            stores,
        }
    }

    /// Whether anything looks different now.
    pub(super) fn is_old(&self) -> bool {
        Mounts::look(&self.mounts.proc) != self.mounts || look(&self.watched) != self.stores
    }
}

/// A digest of sizes and times. What cannot be looked at counts as absent.
fn look(watched: &[PathBuf]) -> u64 {
    let mut digest = DefaultHasher::new();
    for path in watched {
        let state = fs::metadata(path).ok().map(|metadata| {
            let changed = (metadata.ctime(), metadata.ctime_nsec());
            (metadata.ino(), metadata.len(), changed)
        });
        state.hash(&mut digest);
    }
    digest.finish()
}

#[cfg(test)]
mod tests {
    use crate::identity::test_machine::Machine;

    #[test]
    fn an_index_is_stale_when_an_image_or_a_mount_comes() {
        let mut machine = Machine::new();
        machine.docker();
        let index = machine.index();
        assert!(!index.is_stale());
        machine.directory("docker/image/overlay2/layerdb/sha256/c3");
        assert!(index.is_stale());
        let (index, _) = machine.read();
        assert!(!index.is_stale());
        let more = format!("{}9 1 0:7 / /x rw - tmpfs t rw\n", machine.mounts);
        machine.file("proc/self/mountinfo", more);
        assert!(index.is_stale());
    }
}

//! Where the stores are: the usual places, those of rootless users, and those that the
//! layers of mounted overlays lie in. No configuration file is needed.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// Directories that stores are looked for in. Those that do not exist are skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRoots {
    /// Docker's data root.
    pub docker: Vec<PathBuf>,
    /// containerd's root.
    pub containerd: Vec<PathBuf>,
    /// The graph root of containers/storage.
    pub containers_storage: Vec<PathBuf>,
    /// Flatpak installations.
    pub flatpak: Vec<PathBuf>,
}

impl StoreRoots {
    /// No stores.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            docker: Vec::new(),
            containerd: Vec::new(),
            containers_storage: Vec::new(),
            flatpak: Vec::new(),
        }
    }

    /// The usual places on this machine.
    #[must_use]
    pub fn usual() -> Self {
        let mut roots = Self {
            docker: vec![PathBuf::from("/var/lib/docker")],
            containerd: [
                "/var/lib/containerd",
                "/var/lib/docker/containerd/daemon",
                "/var/lib/rancher/k3s/agent/containerd",
                "/var/lib/rancher/rke2/agent/containerd",
                "/var/lib/k0s/containerd",
                "/var/snap/microk8s/common/var/lib/containerd",
            ]
            .map(PathBuf::from)
            .to_vec(),
            containers_storage: [
                "/var/lib/containers/storage",
                "/usr/share/containers/storage",
                "/usr/lib/containers/storage",
            ]
            .map(PathBuf::from)
            .to_vec(),
            flatpak: vec![PathBuf::from("/var/lib/flatpak")],
        };
        roots.add_home(Path::new("/root"));
        // Homes that cannot be listed are found through their mounts.
        let homes = fs::read_dir("/home").into_iter().flatten().flatten();
        for home in homes {
            roots.add_home(&home.path());
        }
        roots
    }

    fn add_home(&mut self, home: &Path) {
        let share = home.join(".local/share");
        self.docker.push(share.join("docker"));
        self.containerd.push(share.join("containerd"));
        self.containers_storage
            .push(share.join("containers/storage"));
        self.flatpak.push(share.join("flatpak"));
    }

    /// Adds the store that a layer directory lies in, by the shape of its path. Stores in
    /// places that only a configuration file tells are found this way.
    pub fn add_store_of(&mut self, layer: &Path) {
        for directory in layer.ancestors() {
            let Some(root) = directory.parent() else {
                continue;
            };
            let name = directory.file_name().unwrap_or(OsStr::new(""));
            let known = match name.to_str() {
                Some("overlay2") if root.join("image/overlay2").is_dir() => &mut self.docker,
                Some("overlay") if root.join("overlay-layers").is_dir() => {
                    &mut self.containers_storage
                }
                Some(name) if name.starts_with("io.containerd.snapshotter.v1.") => {
                    &mut self.containerd
                }
                Some(_) | None => continue,
            };
            if !known.iter().any(|store| store == root) {
                known.push(root.to_path_buf());
            }
            return;
        }
    }

    /// Leaves one of several names of the same directory, for example a link to it.
    #[must_use]
    pub fn without_repeats(mut self) -> Self {
        for list in [
            &mut self.docker,
            &mut self.containerd,
            &mut self.containers_storage,
            &mut self.flatpak,
        ] {
            let mut seen = Vec::new();
            list.retain_mut(|root| {
                if let Ok(real) = fs::canonicalize(&*root) {
                    *root = real;
                }
                let new = !seen.contains(root);
                if new {
                    seen.push(root.clone());
                }
                new
            });
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_found_by_its_layers() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| place.path().join(name);
        for name in ["d/image/overlay2", "p/overlay-layers"] {
            fs::create_dir_all(at(name)).expect("a directory");
        }
        let mut roots = StoreRoots::none();
        for layer in [
            "d/overlay2/ab/diff",
            "d/overlay2/l/XYZ",
            "p/overlay/cd/diff",
            "c/io.containerd.snapshotter.v1.erofs/snapshots/3/fs",
            "other/overlay2/ab/diff",
        ] {
            roots.add_store_of(&at(layer));
        }
        assert_eq!(roots.docker, [at("d")]);
        assert_eq!(roots.containers_storage, [at("p")]);
        assert_eq!(roots.containerd, [at("c")]);
    }

    #[test]
    fn a_link_to_a_store_is_not_a_second_store() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let real = place.path().canonicalize().expect("it exists").join("real");
        fs::create_dir(&real).expect("a directory");
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        let roots = StoreRoots {
            docker: vec![link, real.clone()],
            ..StoreRoots::none()
        };
        assert_eq!(roots.without_repeats().docker, [real]);
    }
}

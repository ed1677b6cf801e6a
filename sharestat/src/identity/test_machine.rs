//! A machine for tests: its `/proc`, its stores and its mounts in a temporary directory.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use super::{
    bolt,
    layers::{LayerIndex, Sources},
    runtimes::StoreRoots,
    warning::Warning,
};
use crate::model::inode::Dev;

pub(crate) const DISK: Dev = Dev::new(8, 1);
pub(crate) const C: &str = "800bec12fb99a43bf9fa69943a466f8d396323b1e9e872c66e9a1a21b32149f1";

/// A machine in a temporary directory, its root filesystem on `DISK`.
pub(crate) struct Machine {
    place: tempfile::TempDir,
    pub(crate) mounts: String,
    pub(crate) stores: StoreRoots,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self {
            place: tempfile::tempdir().expect("a temporary directory"),
            mounts: "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n".to_owned(),
            stores: StoreRoots::none(),
        };
        fs::create_dir_all(machine.at("proc/self/ns")).expect("a directory");
        symlink("mnt:[1]", machine.at("proc/self/ns/mnt")).expect("a link");
        machine
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        let top = self.place.path().canonicalize().expect("it exists");
        top.join(name)
    }

    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().expect("it is in a directory")).expect("a directory");
        fs::write(path, contents).expect("a file");
    }

    /// Adds lines to the mount table.
    pub(crate) fn mount(&mut self, lines: &str) {
        self.mounts.push_str(lines);
    }

    pub(crate) fn directory(&self, name: &str) {
        fs::create_dir_all(self.at(name)).expect("a directory");
    }

    pub(crate) fn read(&self) -> (LayerIndex, Vec<Warning>) {
        self.file("proc/self/mountinfo", &self.mounts);
        self.read_as_it_is()
    }

    /// The index with the mount table that is there.
    pub(crate) fn read_as_it_is(&self) -> (LayerIndex, Vec<Warning>) {
        LayerIndex::read(Sources {
            proc: &self.at("proc"),
            block: &self.at("block"),
            stores: self.stores.clone(),
        })
    }

    /// The index of a machine about which everything is known.
    pub(crate) fn index(&self) -> LayerIndex {
        let (index, warnings) = self.read();
        assert_eq!(warnings, Vec::new());
        index
    }

    pub(crate) fn path(&self, name: &str) -> Vec<u8> {
        self.at(name).into_os_string().into_encoded_bytes()
    }

    pub(crate) fn label(&self, index: &LayerIndex, name: &str) -> Option<String> {
        let layer = index.resolve(DISK, &self.path(name))?;
        Some(index.layers().layer_label(layer))
    }

    /// Two images that share a layer, and a container of the second.
    pub(crate) fn docker(&mut self) {
        let images = "docker/image/overlay2";
        for (chain, diff, parent, cache) in [
            ("c1", "sha256:d1", None, "cache1"),
            ("c2", "sha256:d2", Some("sha256:c1"), "cache2"),
        ] {
            let entry = format!("{images}/layerdb/sha256/{chain}");
            self.file(&format!("{entry}/cache-id"), cache);
            self.file(&format!("{entry}/diff"), diff);
            if let Some(parent) = parent {
                self.file(&format!("{entry}/parent"), parent);
            }
            self.directory(&format!("docker/overlay2/{cache}/diff"));
        }
        for (id, diffs) in [
            ("1111111111111111", r#"["sha256:d1"]"#),
            ("2222222222222222", r#"["sha256:d1","sha256:d2"]"#),
        ] {
            let config = format!(r#"{{"rootfs":{{"type":"layers","diff_ids":{diffs}}}}}"#);
            self.file(&format!("{images}/imagedb/content/sha256/{id}"), config);
        }
        self.file(
            &format!("{images}/repositories.json"),
            r#"{"Repositories":{"app":{"app:2":"sha256:2222222222222222","app@sha256:ee":"sha256:2222222222222222"}}}"#,
        );
        self.file(
            &format!("docker/containers/{C}/config.v2.json"),
            format!(r#"{{"ID":"{C}","Name":"/web","Image":"sha256:2222222222222222","Config":{{"Image":"app:2","Labels":{{"io.kubernetes.pod.uid":"u"}}}}}}"#),
        );
        self.file(&format!("{images}/layerdb/mounts/{C}/mount-id"), "mm");
        self.file(&format!("{images}/layerdb/mounts/{C}/init-id"), "mm-init");
        self.directory("docker/overlay2/mm/diff");
        self.directory("docker/overlay2/mm-init/diff");
        self.stores.docker.push(self.at("docker"));
    }

    /// The store that `containerd-meta.db` and `containerd-overlayfs.db` describe.
    pub(crate) fn containerd(&mut self) {
        let snapshotter = "cd/io.containerd.snapshotter.v1.overlayfs";
        self.file(
            "cd/io.containerd.metadata.v1.bolt/meta.db",
            bolt::tests::CONTAINERD_META,
        );
        self.file(
            &format!("{snapshotter}/metadata.db"),
            bolt::tests::CONTAINERD_SNAPSHOTS,
        );
        for id in 1..=4 {
            self.directory(&format!("{snapshotter}/snapshots/{id}/fs"));
        }
        self.stores.containerd.push(self.at("cd"));
    }
}

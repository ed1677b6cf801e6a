//! What container runtimes wrote to disk about their layers, images and containers,
//! read without asking a daemon. Each reader turns one store into one [`Store`];
//! `identity::layers` joins the stores with the mounts.

pub mod containerd;
pub mod containers_storage;
pub mod docker;
pub mod packages;
mod roots;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

pub use roots::StoreRoots;

use super::{regular, warning::Warnings};
use crate::model::layers::{LayerKind, Pod, Runtime};

/// Larger metadata files than this are not read.
const MAX_METADATA: u64 = 256 << 20;
/// Ids and digests are shorter than this.
const MAX_WORD: u64 = 4096;

/// What one store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// Its layers.
    pub layers: Vec<StoreLayer>,
    /// Its images.
    pub images: Vec<StoreImage>,
    /// Its containers.
    pub containers: Vec<StoreContainer>,
}

/// A layer as its store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLayer {
    /// The store's name for it.
    pub key: String,
    /// Who keeps it.
    pub runtime: Runtime,
    /// What it is.
    pub kind: LayerKind,
    /// The directory of its files.
    pub directory: PathBuf,
    /// The file that holds it as a filesystem image.
    pub image_file: Option<PathBuf>,
    /// Digest of its tar.
    pub digest: Option<String>,
}

/// An image as its store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreImage {
    /// Digest or id.
    pub id: String,
    /// Its best name.
    pub name: Option<String>,
    /// Who keeps it.
    pub runtime: Runtime,
    /// Positions in [`Store::layers`], lowest first.
    pub layers: Vec<usize>,
}

/// A container as its store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreContainer {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Who keeps it.
    pub runtime: Runtime,
    /// The id of its image in the same store.
    pub image: Option<String>,
    /// The name of its image as recorded.
    pub image_name: Option<String>,
    /// Its pod.
    pub pod: Option<Pod>,
    /// Its own layers: positions in [`Store::layers`].
    pub layers: Vec<usize>,
}

/// All stores that are there.
#[must_use]
pub fn read_all(roots: &StoreRoots, warnings: &mut Warnings) -> Vec<Store> {
    let mut stores = Vec::new();
    let mut read = |roots: &[PathBuf], reader: fn(&Path, &mut Warnings) -> Store| {
        for root in roots {
            if is_there(root, warnings) {
                stores.push(reader(root, warnings));
            }
        }
    };
    read(&roots.docker, docker::read);
    read(&roots.containerd, containerd::read);
    read(&roots.containers_storage, containers_storage::read);
    read(&roots.flatpak, packages::read_flatpak);
    stores
}

/// Whether a store exists; one that exists and cannot be looked at is a warning.
fn is_there(root: &Path, warnings: &mut Warnings) -> bool {
    match fs::read_dir(root) {
        Ok(_) => true,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            false
        }
        Err(error) => {
            warnings.unreadable(root, &error);
            false
        }
    }
}

/// The names in a directory, sorted. A directory that is not there has none.
fn names_in(directory: &Path, warnings: &mut Warnings) -> Vec<String> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                warnings.unreadable(directory, &error);
            }
            return names;
        }
    };
    for entry in entries {
        match entry {
            Ok(entry) => match entry.file_name().into_string() {
                Ok(name) => names.push(name),
                Err(name) => warnings.malformed(
                    &directory.join(&name),
                    "no runtime gives such a name, which is not UTF-8",
                ),
            },
            Err(error) => warnings.unreadable(directory, &error),
        }
    }
    names.sort();
    names
}

/// A metadata file; `None` when it is not there, with a warning when it cannot be read.
fn read_file(path: &Path, warnings: &mut Warnings) -> Option<Vec<u8>> {
    match regular::read(path, MAX_METADATA) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                warnings.unreadable(path, &error);
            }
            None
        }
    }
}

/// A file with one short word in it; a missing file is a warning, because the store
/// names it elsewhere.
fn read_word(path: &Path, warnings: &mut Warnings) -> Option<String> {
    match regular::read(path, MAX_WORD) {
        Ok(text) => Some(String::from_utf8_lossy(&text).trim_end().to_owned()),
        Err(error) => {
            warnings.unreadable(path, &error);
            None
        }
    }
}

/// A JSON file; see [`read_file`].
fn read_json<T: DeserializeOwned>(path: &Path, warnings: &mut Warnings) -> Option<T> {
    let bytes = read_file(path, warnings)?;
    match serde_json::from_slice(&bytes) {
        Ok(value) => Some(value),
        Err(error) => {
            warnings.malformed(path, error);
            None
        }
    }
}

/// A JSON file that holds a list; entries that do not fit are named and left out.
fn read_json_list<T: DeserializeOwned>(path: &Path, warnings: &mut Warnings) -> Vec<T> {
    let values: Option<Option<Vec<serde_json::Value>>> = read_json(path, warnings);
    let mut list = Vec::new();
    for (position, value) in values.flatten().unwrap_or_default().into_iter().enumerate() {
        match serde_json::from_value(value) {
            Ok(entry) => list.push(entry),
            Err(error) => warnings.malformed(path, format!("entry {}: {error}", position + 1)),
        }
    }
    list
}

/// An id from metadata as one part of a path. Anything that could lead out of the store
/// is refused.
fn component(id: &str, source: &Path, warnings: &mut Warnings) -> Option<PathBuf> {
    let plain = !id.is_empty() && !matches!(id, "." | "..") && !id.contains(['/', '\0']);
    if !plain {
        let reason = format!("'{}' is not an id", id.escape_default());
        warnings.malformed(source, reason);
    }
    plain.then(|| PathBuf::from(id))
}

/// The pod that Kubernetes labels tell of (CRI, also written by cri-dockerd).
fn pod_of_labels<'a>(label: impl Fn(&str) -> Option<&'a str>) -> Option<Pod> {
    let pod = Pod {
        uid: label("io.kubernetes.pod.uid").map(str::to_owned),
        name: label("io.kubernetes.pod.name").map(str::to_owned),
        namespace: label("io.kubernetes.pod.namespace").map(str::to_owned),
    };
    (pod != Pod::default()).then_some(pod)
}

/// The best of an image's names: with a tag, before with a digest, before an id.
fn best_name<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let rank = |name: &str| {
        let id = name.starts_with("sha256:") || name.is_empty();
        (id, name.contains('@'), name.len())
    };
    names
        .into_iter()
        .filter(|name| !rank(name).0)
        .min_by_key(|name| (rank(name), (*name).to_owned()))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_lead_out_of_the_store() {
        let mut warnings = Warnings::default();
        for id in ["..", "a/b", "", ".", "a\0"] {
            assert_eq!(component(id, Path::new("/store"), &mut warnings), None);
        }
        assert_eq!(warnings.into_list().len(), 5);
    }

    #[test]
    fn a_tag_is_a_better_name_than_a_digest() {
        let names = [
            "sha256:1",
            "docker.io/library/x@sha256:2",
            "docker.io/library/x:1",
        ];
        assert_eq!(best_name(names).as_deref(), Some("docker.io/library/x:1"));
        assert_eq!(best_name(["sha256:1"]), None);
    }

    #[test]
    fn a_store_that_is_not_there_is_no_warning() {
        let mut warnings = Warnings::default();
        let roots = StoreRoots {
            docker: vec![PathBuf::from("/no/such/store")],
            ..StoreRoots::none()
        };
        assert_eq!(read_all(&roots, &mut warnings), Vec::new());
        assert_eq!(warnings.into_list(), Vec::new());
    }
}

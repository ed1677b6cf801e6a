//! An image as its manifest has it: a name, and where its layers are.

use serde::Deserialize;

use super::blob::Blob;

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// The name it is shown by.
    pub(super) name: String,
    /// Digest or path: what identifies it.
    pub(super) id: String,
    /// Lowest first.
    pub(super) layers: Vec<Layer>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// Digest of the unpacked tar, else whatever tells it from others.
    pub(super) digest: String,
    /// The tar, or a directory.
    pub(super) from: From,
}

/// What a layer is read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum From {
    /// A tar stream, compressed or not.
    Tar(Blob),
    /// A directory with the files themselves.
    Directory(std::path::PathBuf),
}

/// The part of an image configuration that tells the digests of the unpacked layers.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    pub(super) rootfs: RootFs,
}

/// See [`Config`].
#[derive(Debug, Default, Deserialize)]
pub(super) struct RootFs {
    #[serde(default)]
    pub(super) diff_ids: Vec<String>,
}

impl Config {
    /// The digest of layer `number` of `count`, when the configuration tells it.
    pub(super) fn digest(&self, number: usize, count: usize) -> Option<String> {
        let told = self.rootfs.diff_ids.len() == count;
        told.then(|| self.rootfs.diff_ids.get(number).cloned())
            .flatten()
    }
}

//! The rows of a report's lists: what a group of files, a filesystem or a file holds.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a layer, image, container or memory cgroup holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Name to show.
    pub name: String,
    /// What identifies it.
    pub id: String,
    /// In the page cache.
    pub resident_bytes: u64,
    /// Pages whose content has any other copy.
    pub duplicate_bytes: u64,
    /// Pages whose content has no copy outside.
    pub exclusive_bytes: u64,
    /// Its part of what sharing would save; the parts of files add up to the duplicate
    /// bytes.
    pub saving_share_bytes: f64,
    /// Of images and containers: resident, layers of `n` of them counted as an n-th.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proportional_bytes: Option<f64>,
    /// Of a container: page cache charged to its memory cgroups, of whatever files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged_bytes: Option<u64>,
    /// Of a container: what its memory cgroup counts besides page cache, anonymous memory,
    /// tmpfs and the kernel's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_bytes: Option<u64>,
    /// Who keeps it: `docker`, `containerd`, `podman`, `flatpak`, `snap` or `mount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Of a layer: `lower`, `upper`, `image-file` or `image-mount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Of a layer: its directory or file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Of a layer: the images that have it; of a container: its image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Of an image or container: its layers, by `id`, lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
    /// Of a memory cgroup: the container it belongs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
    /// Of a container: its pod, `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
}

/// What a filesystem (superblock) holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FilesystemEntry {
    /// Its mount point, else its id.
    pub name: String,
    /// What it is mounted from, or the kernel's name for the superblock.
    pub id: String,
    /// Its type.
    pub fs_type: String,
    /// Where it is mounted; null when it is mounted nowhere that we can see.
    pub mount_point: Option<String>,
    /// Its device number, `major:minor`.
    pub dev: String,
    /// In the page cache.
    pub resident_bytes: u64,
    /// Pages whose content has any other copy.
    pub duplicate_bytes: u64,
    /// Pages whose content has no copy outside.
    pub exclusive_bytes: u64,
    /// Its part of what sharing would save; the parts add up to the duplicate bytes.
    pub saving_share_bytes: f64,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileEntry {
    /// Its path, `fs:ino` when it has no name.
    pub path: String,
    /// The name of its filesystem, as in `filesystems`.
    pub fs: String,
    /// Its device number, `major:minor`.
    pub dev: String,
    /// Its inode number.
    pub ino: u64,
    /// Whether it was deleted and is still open, mounted or mapped; left out when it was not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// In the page cache.
    pub resident_bytes: u64,
    /// Pages whose content has any other copy.
    pub duplicate_bytes: u64,
    /// Pages whose content has no copy outside the file.
    pub exclusive_bytes: u64,
    /// Its part of what sharing would save; the parts add up to the duplicate bytes.
    pub saving_share_bytes: f64,
    /// The name of its layer, as in `layers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The names of the images that have the layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// The names of the containers that show the layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
    /// Read of it from storage while another page had the same content, while it was watched
    /// and has been cached; left out when nothing was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub avoidable_reads_bytes: u64,
    /// Last copies of their content that reclaim took of it, as in `avoidable`; left out when
    /// there were none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub avoidable_reclaim_bytes: u64,
    /// The files that it shares most content with, zero pages aside.
    pub partners: Vec<PartnerEntry>,
    /// Where the kernel keeps these pages once for several files (EROFS with `inode_share`):
    /// the files, this one first, and no more than 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<OwnerEntry>,
    /// How many files these are in all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub owner_count: u64,
    /// What is saved by that already, were each of them cached as far as this.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub already_shared_bytes: u64,
}

impl FileEntry {
    /// Its path, with a mark when it was deleted, and when the kernel keeps its pages for
    /// several files.
    #[must_use]
    pub fn shown_path(&self) -> Cow<'_, str> {
        let mut shown = Cow::from(self.path.as_str());
        if self.deleted {
            shown.to_mut().push_str(" (deleted)");
        }
        if self.owner_count > 1 {
            let mark = format!(" (shared by {})", self.owner_count);
            shown.to_mut().push_str(&mark);
        }
        shown
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde gives the field by reference"
)]
pub(super) const fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

/// One of the files whose pages the kernel keeps once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnerEntry {
    /// Its path.
    pub path: String,
    /// The device number of its filesystem, `major:minor`.
    pub dev: String,
    /// Its inode number.
    pub ino: u64,
}

/// Another file with the same contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartnerEntry {
    /// Its path.
    pub path: String,
    /// Pages of the first file whose content this one also holds.
    pub shared_bytes: u64,
}

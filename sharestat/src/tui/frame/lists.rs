//! The rows of a frame's lists: files, groups, pairs of layers, copies, derefs.

use std::sync::Arc;

use serde::Serialize;

use super::super::serial;
use crate::model::{inode::InodeId, units::Bytes};

/// One file with resident pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileRow {
    /// The index's number for it.
    #[serde(serialize_with = "serial::inode")]
    pub inode: InodeId,
    /// Path under its mount point, or `fs:ino`.
    pub path: Arc<str>,
    /// Type of its filesystem, such as `xfs`.
    pub fs: Arc<str>,
    /// [`GroupRow::id`] of its filesystem.
    pub filesystem: Arc<str>,
    /// [`GroupRow::id`] of its layer, when it lies in one.
    pub layer: Option<Arc<str>>,
    /// Bytes in the page cache.
    pub resident: Bytes,
    /// Bytes of these whose content is known. What follows is about these only.
    pub hashed: Bytes,
    /// Bytes whose content has another copy.
    pub duplicate: Bytes,
    /// Bytes whose content has no copy outside this file.
    pub exclusive: Bytes,
    /// Its share of what sharing by content would save, rounded to bytes.
    pub saving: Bytes,
    /// Bytes of zero pages.
    pub zero: Bytes,
}

/// A filesystem, layer, image, container or memory cgroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupRow {
    /// Unique within its list.
    pub id: Arc<str>,
    /// What people call it: mount point, layer directory, image or container name.
    pub name: Arc<str>,
    /// Of a layer: its directory or file, with which the paths of its files begin; empty for
    /// what has none.
    pub directory: Arc<str>,
    /// Type of the filesystem, or the container runtime; empty where there is none.
    pub kind: Arc<str>,
    /// Layers of an image or container, or of a cgroup's container, by [`GroupRow::id`].
    pub layers: Arc<[Arc<str>]>,
    /// Bytes in the page cache.
    pub resident: Bytes,
    /// Bytes whose content has another copy.
    pub duplicate: Bytes,
    /// Bytes whose content has no copy outside.
    pub exclusive: Bytes,
    /// Its share of what sharing by content would save, rounded to bytes.
    pub saving: Bytes,
    /// Bytes of zero pages.
    pub zero: Bytes,
    /// Its resident bytes, those of layers of several images or containers in equal parts;
    /// `None` for what cannot have a layer in common.
    pub proportional: Option<Bytes>,
    /// Bytes charged to its memory cgroup.
    pub charged: Option<Bytes>,
    /// Of a cgroup: the container it belongs to.
    pub container: Option<Arc<str>>,
    /// Of an image: its avoidable reads and reclaim, when these are counted.
    pub avoidable: Option<Avoidable>,
}

/// Avoidable reads and reclaim of an image, as of the frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Avoidable {
    /// What identifies the image to its runtime.
    pub image: Arc<str>,
    /// Read since the start while another page had the content.
    pub reads: Bytes,
    /// The same per second, since the frame before.
    pub reads_per_second: Bytes,
    /// Last copies of their content that reclaim took since the start, beside duplicates.
    pub reclaim: Bytes,
    /// The same per second, since the frame before.
    pub reclaim_per_second: Bytes,
}

/// Layers, images and containers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Identity {
    /// Why they are not known; `None` when they were looked for.
    pub missing: Option<String>,
    /// Layers.
    pub layers: Arc<[GroupRow]>,
    /// Images.
    pub images: Arc<[GroupRow]>,
    /// Containers.
    pub containers: Arc<[GroupRow]>,
    /// Memory cgroups that pages are charged to; every page is in one.
    pub memcgs: Arc<[GroupRow]>,
    /// Duplicates whose nearest copy is in another layer, by the two layers.
    pub pairs: Arc<[PairRow]>,
}

/// Two layers and the duplicates that they cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PairRow {
    /// [`GroupRow::id`] of one.
    pub one: Arc<str>,
    /// [`GroupRow::id`] of the other one.
    pub other: Arc<str>,
    /// Copies whose nearest copy is in the other layer.
    pub shared: Bytes,
}

/// Which files hold the same contents as one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The file asked about.
    #[serde(serialize_with = "serial::inode")]
    pub inode: InodeId,
    /// Files that share contents with it, at most so many as the collector looks for.
    pub copies: Arc<[CopyRow]>,
}

/// A file that shares contents with the explained one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CopyRow {
    /// The index's number for it.
    #[serde(serialize_with = "serial::inode")]
    pub inode: InodeId,
    /// Path under its mount point, or `fs:ino`.
    pub path: Arc<str>,
    /// Type of its filesystem.
    pub fs: Arc<str>,
    /// Name of its layer, when it lies in one.
    pub layer: Option<Arc<str>>,
    /// When the first of the pages came that hold shared contents, as it is shown; ` at start`
    /// for pages that were there before, so that texts are in the order of time.
    pub since: Option<Arc<str>>,
    /// Bytes of the explained file whose content this file holds too.
    pub shared: Bytes,
}

/// What `sharestat derefs` measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Derefs {
    /// File that it comes from.
    pub source: String,
    /// What was watched, on which kernel, and what was lost: a sentence each.
    pub facts: Vec<String>,
    /// Sites with hits.
    pub sites: Arc<[DerefRow]>,
}

/// One instruction that touches `folio->mapping`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DerefRow {
    /// Names the site across kernels.
    pub id: Arc<str>,
    /// Function and offset.
    pub site: Arc<str>,
    /// load, `tag_test`, compare, store or unknown.
    pub access: Arc<str>,
    /// The most frequent context class.
    pub context: Arc<str>,
    /// Part of the kernel.
    pub subsystem: Arc<str>,
    /// Hits with a folio of a file.
    pub hits: u64,
    /// Those with a folio that could be shared.
    pub shareable: u64,
    /// More about it: a name and a sentence each.
    pub details: Vec<(String, String)>,
    /// The most frequent stack, innermost first.
    pub stack: Vec<String>,
}

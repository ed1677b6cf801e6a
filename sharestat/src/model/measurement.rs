//! What one measurement found: how it was made, the filled index, and who the inodes
//! are. Both engines produce it; reports and screens are made from it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    avoidable::ByImage,
    charges::MemcgId,
    extents::Extents,
    index::ContentIndex,
    inode::{Dev, InodeId},
    layers::{ContainerId, LayerId, Layers},
    memory::MemoryStat,
    shared_files::SharedBy,
    uncompared::Uncompared,
};

/// Which engine measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Engine {
    /// Hooks, census and hashing in BPF.
    Bpf,
    /// `mincore` and `mmap` from user space.
    User,
    /// Images in files: nothing was measured, what their hosts would cache is forecast.
    Image,
}

impl Engine {
    /// The name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bpf => "bpf",
            Self::User => "user",
            Self::Image => "image",
        }
    }
}

/// What became of one hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookStatus {
    /// The kernel event, for example `mm_filemap_add_to_page_cache`.
    pub event: String,
    /// How it is attached (`raw_tracepoint`, `fentry`), or `no: ` and the reason.
    pub attached: String,
    /// Events of this hook that were lost.
    pub lost: u64,
    /// What is not measured without it; empty when it is attached.
    pub loss: String,
    /// Whether measuring goes on without it.
    pub optional: bool,
}

/// One mounted filesystem (superblock).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filesystem {
    /// Its device number.
    pub dev: Dev,
    /// Its type, for example `ext4`.
    pub fs_type: String,
    /// What it is mounted from, or the kernel's name for the superblock.
    pub id: String,
    /// Where it is mounted, when it is mounted where we can see it.
    pub mount_point: Option<String>,
    /// The block device it is mounted from, where that is not `dev` itself (btrfs).
    pub source: Option<Dev>,
}

/// Which file an inode is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// Position in [`Identities::filesystems`].
    pub filesystem: usize,
    /// The path to show, below its mount point and with it; `fs:ino` when it has no name.
    pub path: String,
    /// Whether a name was found.
    pub named: bool,
    /// Whether it was deleted and is still open or cached.
    pub deleted: bool,
    /// Its size in bytes.
    pub size: u64,
    /// Its number of names.
    pub links: u32,
    /// Where its pages live, and in which layer.
    pub place: Place,
}

/// Where the pages of a file live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Path from the root of its filesystem; `None` when it has no name or not a whole one.
    pub path_in_fs: Option<Box<[u8]>>,
    /// The layer that holds it.
    pub layer: Option<LayerId>,
    /// Bytes of `path_in_fs` that are the layer's root.
    pub root: usize,
    /// Of a block device: its number.
    pub device: Option<Dev>,
    /// The [`Identities::revision`] that `layer` belongs to; 0 when it was not looked for.
    pub revision: u64,
}

impl Place {
    /// The path below the root of the layer.
    #[must_use]
    pub fn path_in_layer(&self) -> Option<&[u8]> {
        self.layer?;
        self.path_in_fs.as_deref()?.get(self.root..)
    }
}

/// A memory cgroup that pages are charged to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memcg {
    /// Its path in the hierarchy; `gone:ID` when it went before it had a name.
    pub name: String,
    /// The container it belongs to, of [`Identities::layers`].
    pub container: Option<ContainerId>,
}

/// Who the inodes of an index are, as far as it was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities {
    /// The filesystems that files are on.
    pub filesystems: Vec<Filesystem>,
    /// The files.
    pub files: HashMap<InodeId, FileIdentity>,
    /// Layers, images and containers.
    pub layers: Layers,
    /// Which reading of `layers` this is: ids change their meaning when it does.
    pub revision: u64,
    /// What the files are known to be beyond their resident pages.
    pub whole: HashMap<InodeId, Proof>,
    /// When the bytes of equal pages were compared: where that could not be done.
    pub uncompared: Option<Uncompared>,
    /// The EROFS superblocks that share pages with others (`inode_share`), when the mounts
    /// were asked.
    pub sharing: Option<HashSet<Dev>>,
    /// Counts how often storage told something new of extents or of files as a whole.
    pub told: u64,
    /// Extents that files share with others, and where they were asked for.
    pub extents: HashMap<InodeId, Extents>,
    /// The memory cgroups that pages are charged to.
    pub memcgs: HashMap<MemcgId, Memcg>,
    /// What containers use, as their cgroups count it.
    pub memory: HashMap<ContainerId, MemoryStat>,
    /// Files whose pages the kernel keeps once, by the inode that keeps them.
    pub shared: HashMap<InodeId, SharedBy>,
    /// Sentences about what could not be found out.
    pub warnings: Vec<String>,
}

/// What is known of a file as a whole: files with the same proof hold the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// A digest that the filesystem keeps (fs-verity, composefs, EROFS).
    Digest(Box<str>),
    /// Read and compared: the number of its class of equal files.
    Compared(u32),
}

impl Measurement {
    /// Tells avoidable reads and reclaim their images, when it watches. To be called before
    /// inodes are forgotten, and after they were named.
    pub fn attribute_avoidable(&mut self) {
        if let Some(images) = &mut self.avoidable {
            images.absorb(&mut self.index, &self.identity);
        }
    }
}

/// One measurement.
#[derive(Debug)]
pub struct Measurement {
    /// Which engine made it.
    pub engine: Engine,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Tells whether the hashes of two measurements can be compared, without giving
    /// the seed away.
    pub seed_id: String,
    /// What became of each hook; empty for the user-space engine.
    pub hooks: Vec<HookStatus>,
    /// Events lost in all.
    pub events_lost: u64,
    /// Whether it ran to its end and repaired what was lost.
    pub complete: bool,
    /// What is resident, and its contents.
    pub index: ContentIndex,
    /// Who the inodes are.
    pub identity: Identities,
    /// Avoidable reads and reclaim by image; `None` unless it watches for a time.
    pub avoidable: Option<ByImage>,
    /// Sentences about what limits this measurement.
    pub notes: Vec<String>,
}

//! What is in the blocks after the header: records, one after the other, as postcard
//! writes them (variable-length integers, no names).

use serde::{Deserialize, Serialize};

use crate::{
    kernel::movement::Flow,
    model::{
        charges::MemcgId,
        inode::InodeId,
        journal::Change,
        layers::Layers,
        measurement::{FileIdentity, Filesystem, Memcg},
        memory::HostMemory,
        shared_files::SharedBy,
        totals::Totals,
    },
};

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A change of the index.
    Change(Change),
    /// All filesystems, whenever there is another one.
    Filesystems(Vec<Filesystem>),
    /// Layers, images and containers, whenever they were read anew: the names of files
    /// follow again, because their layers are numbered anew.
    Owners(Box<Owners>),
    /// Which file an inode is.
    Named(InodeId, FileIdentity),
    /// The sums at one moment, after all changes before.
    Status(Box<Status>),
    /// Distributions since the start.
    Histograms(Vec<StoredHistogram>),
    /// A moment of the recording itself.
    Mark(Mark),
    /// The memory cgroups, whenever there is another one or containers were read anew.
    Memcgs(Vec<(MemcgId, Memcg)>),
    /// What the host and its memory cgroups use: where what is to be recorded begins, and
    /// before the last census.
    Memory(Box<HostMemory>),
    /// The files whose pages the kernel keeps once, whenever these are others.
    Shared(Vec<(InodeId, SharedBy)>),
}

/// Layers, images and containers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owners {
    /// What was found.
    pub layers: Layers,
    /// Which reading it is.
    pub revision: u64,
    /// What could not be found out.
    pub warnings: Vec<String>,
}

/// The sums at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Milliseconds since measuring began.
    pub elapsed_ms: u64,
    /// What the index had; the replay must have the same.
    pub totals: Totals,
    /// Pages that came and went.
    pub flow: Flow,
    /// Frames walked by the census that ran, of so many.
    pub census: Option<(u64, u64)>,
    /// Whether the first census had ended.
    pub counted: bool,
    /// Events lost so far.
    pub events_lost: u64,
    /// Whether everything resident was seen and everything lost repaired.
    pub complete: bool,
    /// Events lost by each hook, in the order of the header.
    pub hooks_lost: Vec<u64>,
    /// Counters, in the order of the header.
    pub counters: Vec<u64>,
    /// CPU time of the recording process in microseconds.
    pub cpu_us: u64,
    /// Its resident memory in bytes.
    pub rss: u64,
}

/// A distribution in the V2 format of `HdrHistogram`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHistogram {
    /// What was measured: one of the names in `histograms.rs`, or a hook's event.
    pub name: String,
    /// Bytes as `HdrHistogram` V2 defines them, not compressed.
    pub v2: Vec<u8>,
}

/// A moment of the recording itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// The first census is done and its pages are hashed: what follows is what was to be
    /// recorded.
    Begin,
    /// The last census is done: nothing follows.
    End(End),
}

/// How a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Exit code of the command, when one was run and it ended by itself.
    pub exit_code: Option<i32>,
    /// Changes of the index in the whole recording.
    pub changes: u64,
}

//! One immutable picture of the measurement: all that the screen ever sees.
//!
//! The collector makes one per refresh and publishes it through a watch channel. Long
//! lists are shared, so that cloning and freezing a frame cost nothing.

mod lists;

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use serde::Serialize;

pub use self::lists::{
    Avoidable, CopyRow, DerefRow, Derefs, Explanation, FileRow, GroupRow, Identity, PairRow,
};
use super::serial;
use crate::model::{inode::InodeId, totals::Totals, units::Bytes};

/// Schema name in frames written as JSON.
pub const SCHEMA: &str = "sharestat.frame/v1";

/// A picture of the measurement at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Frame {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Counts up by one per frame; equal numbers mean equal contents.
    pub sequence: u64,
    /// Wall-clock time of the measurement.
    pub taken_at: Timestamp,
    /// The same moment on this machine's monotonic clock, from which ages are computed.
    #[serde(skip)]
    pub taken: Instant,
    /// Since when the lists below hold: making them costs, so they may be older than the
    /// sums. The moment of the frame when nothing changed since.
    pub lists: ListsAsOf,
    /// Host name.
    pub host: String,
    /// `bpf` or `user`.
    pub engine: String,
    /// How far the first census is.
    pub census: Census,
    /// Events lost so far. Census repairs what they left behind.
    pub events_lost: u64,
    /// Sums over the whole page cache.
    #[serde(serialize_with = "serial::totals")]
    pub totals: Totals,
    /// What happens per second.
    pub rates: Rates,
    /// Earlier samples, oldest first, for the sparklines.
    pub history: Arc<[Sample]>,
    /// What measuring costs.
    pub cost: Cost,
    /// Kernel hooks and what each became.
    pub hooks: Vec<Hook>,
    /// Named counters, in the order of display.
    pub counters: Vec<Counter>,
    /// Distributions.
    pub histograms: Vec<Histogram>,
    /// Where the copies are; the rows add up to the duplicate bytes.
    pub scopes: Vec<Scope>,
    /// What each way of sharing would save.
    pub mechanisms: Vec<Mechanism>,
    /// Files with resident pages.
    pub files: Arc<[FileRow]>,
    /// Filesystems with resident pages.
    pub filesystems: Arc<[GroupRow]>,
    /// Layers, images and containers, as far as they are known.
    pub identity: Identity,
    /// Who touches `folio->mapping`, when that was measured and loaded.
    pub derefs: Option<Arc<Derefs>>,
    /// The answer to the last [`Command::Explain`].
    pub explained: Option<Explanation>,
    /// Sentences on what the numbers do not cover.
    pub notes: Vec<String>,
    /// Where a replay is; `None` when this is measured now.
    pub playback: Option<Playback>,
}

/// Where a replay is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Playback {
    /// Milliseconds since the recorded measurement began.
    pub position_ms: u64,
    /// Milliseconds from its beginning to its last moment.
    pub length_ms: u64,
    /// Recorded seconds per second.
    pub speed: f64,
    /// Whether it stands still.
    pub paused: bool,
    /// How the recording was cut, when it was not ended properly.
    pub cut: Option<String>,
}

impl Frame {
    /// Whether anything was measured: false for [`Frame::empty`].
    #[must_use]
    pub const fn is_measured(&self) -> bool {
        self.sequence > 0
    }

    /// A frame without any data, shown until the first one comes.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            schema: SCHEMA,
            sequence: 0,
            taken_at: Timestamp::now(),
            taken: Instant::now(),
            lists: ListsAsOf::default(),
            host: String::new(),
            engine: String::new(),
            census: Census::Running { percent: 0 },
            events_lost: 0,
            totals: Totals::default(),
            rates: Rates::default(),
            history: Arc::from([]),
            cost: Cost::default(),
            hooks: Vec::new(),
            counters: Vec::new(),
            histograms: Vec::new(),
            scopes: Vec::new(),
            mechanisms: Vec::new(),
            files: Arc::from([]),
            filesystems: Arc::from([]),
            identity: Identity::default(),
            derefs: None,
            explained: None,
            notes: Vec::new(),
            playback: None,
        }
    }
}

/// How far the lists of a frame lag behind its sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListsAsOf {
    /// Milliseconds between the making of the lists and the frame; 0 when they are current.
    pub behind_ms: u64,
}

/// Progress of the first census.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Census {
    /// Pages cached before the start are still being found: sums are too low.
    Running {
        /// 0 to 100.
        percent: u8,
    },
    /// Every resident page has been seen.
    Done,
}

/// Events per second. `None` where no hook tells them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Pages added to the page cache.
    pub adds: f64,
    /// Pages taken by reclaim.
    pub reclaims: Option<f64>,
    /// Pages truncated or invalidated.
    pub truncates: Option<f64>,
    /// Pages that became dirty.
    pub dirtied: f64,
    /// Pages read from storage while their content was resident.
    pub avoidable_reads: Option<f64>,
    /// Distinct pages reclaimed while as many duplicates were resident.
    pub avoidable_reclaims: Option<f64>,
}

/// One earlier moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Duplicate bytes then.
    pub duplicate: Bytes,
    /// Rates then.
    pub rates: Rates,
}

/// What measuring costs the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Of one CPU, user and system.
    pub cpu_percent: f64,
    /// Resident memory of this process.
    pub rss: Bytes,
    /// Median time of one hook in nanoseconds.
    pub hook_ns_p50: Option<u64>,
    /// 99th percentile of the same.
    pub hook_ns_p99: Option<u64>,
}

/// One kernel hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// Event, such as `mm_filemap_add_to_page_cache`.
    pub event: String,
    /// `raw_tracepoint`, `fentry`, … or `no: reason`.
    pub attached: String,
    /// Events of it that were lost.
    pub lost: u64,
    /// What is not measured without it; empty when it works.
    pub loss: String,
    /// Whether measuring goes on without it.
    pub optional: bool,
}

impl Hook {
    /// The doctor's word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.works(), self.optional, self.lost) {
            (true, _, 0) => "ok",
            (true, ..) => "lossy",
            (false, true, _) => "degraded",
            (false, false, _) => "missing",
        }
    }

    /// Whether the kernel took the hook.
    #[must_use]
    pub fn works(&self) -> bool {
        self.attached != "no" && !self.attached.starts_with("no:")
    }
}

/// A named number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counter {
    /// Name.
    pub name: String,
    /// Value since the start.
    pub value: u64,
}

/// A distribution as bars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// What was measured.
    pub name: String,
    /// Unit of the bounds, such as `ms`.
    pub unit: String,
    /// Upper bound of each bar and how many values fell below it and above the one before.
    pub bars: Vec<(u64, u64)>,
}

/// Duplicates by where their nearest copy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// Name, such as `self` or `host`.
    pub name: String,
    /// Bytes.
    pub duplicate: Bytes,
}

/// What one way of sharing would save.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mechanism {
    /// Name, such as `content`.
    pub name: String,
    /// Bytes.
    pub saving: Bytes,
    /// Classes with more than one page.
    pub groups: u64,
    /// `exact`, `probable` or `verified`.
    pub confidence: String,
}

/// What the screen asks of the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make a frame this often.
    Refresh(std::time::Duration),
    /// Make a frame now.
    RefreshNow,
    /// Put the copies of this file into the coming frames.
    Explain(InodeId),
    /// Move about in a recording.
    Play(Play),
    /// The screen is closed: stop.
    Quit,
}

/// What can be asked of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Play {
    /// Stand still, or go on.
    Pause,
    /// The next recorded moment.
    Step,
    /// The recorded moment before.
    StepBack,
    /// So many seconds forward, or back when negative.
    Seek(i32),
    /// To the beginning of what was recorded.
    Start,
    /// Twice as fast.
    Faster,
    /// Half as fast.
    Slower,
}

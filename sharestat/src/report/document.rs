//! The report `sharestat.report/v1` as it is written to JSON: units in names, unknown
//! fields allowed, none of these missing. `docs/report.schema.json` is made from here.

mod lists;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::lists::{FileEntry, FilesystemEntry, Group, OwnerEntry, PartnerEntry};
use super::host::Host;
use crate::model::{totals::Totals, units::Bytes};

/// The value of [`Report::schema`].
pub const SCHEMA: &str = "sharestat.report/v1";

/// One measurement, summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always `sharestat.report/v1`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// What made the report.
    pub tool: Tool,
    /// Where it was measured.
    pub host: Host,
    /// How it was measured.
    pub measurement: MeasurementInfo,
    /// How much of the page cache the numbers cover.
    pub coverage: Coverage,
    /// The sums of the host.
    pub totals: TotalBytes,
    /// The duplicate bytes by how near the copies are; they add up to all of them.
    pub scopes: Vec<Scope>,
    /// What each way of sharing would save; they overlap.
    pub mechanisms: Vec<Mechanism>,
    /// By filesystem (superblock).
    pub filesystems: Vec<FilesystemEntry>,
    /// Files that overlayfs copied up and that are cached in both places.
    pub copy_ups: Vec<CopyUpEntry>,
    /// The duplicates of scope `cross-layer` by the layers they are between, most first.
    pub layer_pairs: Vec<LayerPair>,
    /// What to change, most saving first.
    pub advice: Vec<AdviceEntry>,
    /// What is not known of layers, images and names.
    pub identity: IdentityInfo,
    /// By layer; every file is in one at most.
    pub layers: Vec<Group>,
    /// By image; a layer of several images counts in each.
    pub images: Vec<Group>,
    /// By container; a layer that several show counts in each.
    pub containers: Vec<Group>,
    /// By memory cgroup that is charged; every page is in one. Empty when the engine cannot
    /// tell.
    pub memcgs: Vec<Group>,
    /// Reads and reclaim that sharing would have spared, while it was watched; missing in a
    /// measurement of one moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avoidable: Option<AvoidableInfo>,
    /// By file, most duplicate bytes first.
    pub files: Vec<FileEntry>,
    /// Of a recording: the sums over time, at most 600 moments of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineEntry>,
}

/// The sums at one moment of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEntry {
    /// Milliseconds since measuring began.
    pub elapsed_ms: u64,
    /// The sums then.
    #[serde(flatten)]
    pub totals: TotalBytes,
}

/// Reads and reclaim that sharing equal pages would have spared, since the measurement
/// began, on filesystems whose pages have a clean state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AvoidableInfo {
    /// Read from storage while another page had the same content. Zero pages do not count.
    pub reads_bytes: u64,
    /// Last copies of their content that reclaim took while duplicates were resident.
    pub reclaim_bytes: u64,
    /// Entered the page cache and got known before anything changed them: what `reads_bytes`
    /// is a part of.
    pub read_bytes: u64,
    /// Entered, and left or still wait before they were known: what `reads_bytes` may miss.
    pub read_unknown_bytes: u64,
    /// Entered, and were dirtied before they were known: written, not read.
    pub written_bytes: u64,
    /// Taken by reclaim, whatever they held.
    pub reclaimed_bytes: u64,
    /// Of these, what was known: what `reclaim_bytes` is a part of.
    pub reclaimed_hashed_bytes: u64,
    /// Of these, the last copy of its content.
    pub reclaimed_distinct_bytes: u64,
    /// Per second, since the picture before; in pictures of `top` after the first only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<AvoidableRates>,
    /// By image, those that have any; a layer of several images counts in each.
    pub images: Vec<AvoidableImage>,
}

/// Avoidable reads and reclaim per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AvoidableRates {
    /// Of `reads_bytes`.
    pub reads_bytes_per_second: u64,
    /// Of `reclaim_bytes`.
    pub reclaim_bytes_per_second: u64,
}

/// The avoidable reads and reclaim of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AvoidableImage {
    /// Its name.
    pub name: String,
    /// What identifies it.
    pub id: String,
    /// As in [`AvoidableInfo`].
    pub reads_bytes: u64,
    /// As in [`AvoidableInfo`].
    pub reclaim_bytes: u64,
    /// As in [`AvoidableInfo`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<AvoidableRates>,
}

/// What made a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Name of the program.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// How a measurement was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MeasurementInfo {
    /// `bpf` or `user`.
    pub engine: String,
    /// When it began (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    pub started_at: String,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
    /// Equal when the hashes of two measurements can be compared.
    pub seed_id: String,
    /// What became of each hook.
    pub hooks: Vec<Hook>,
    /// Sentences about what limits the measurement.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What became of one hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    /// The kernel event.
    pub event: String,
    /// How it is attached, or `no: ` and the reason.
    pub attached: String,
    /// Events lost.
    pub lost: u64,
}

/// What was seen and what of it was hashed: `resident_pages` = `hashed_pages` + all of
/// `skipped`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Pages seen in the page cache.
    pub resident_pages: u64,
    /// Pages whose content is known.
    pub hashed_pages: u64,
    /// Pages whose content is not known, by reason.
    pub skipped: Skipped,
    /// Events lost in all.
    pub events_lost: u64,
    /// Whether the measurement ran to its end and repaired what was lost.
    pub complete: bool,
}

/// Pages without a hash, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Dirty, or writably mapped where there is no clean state.
    pub dirty: u64,
    /// Under writeback.
    pub writeback: u64,
    /// Not uptodate yet.
    pub not_uptodate: u64,
    /// Changed every time they were tried.
    pub raced: u64,
    /// Poisoned, inaccessible, pinned, or the copy faulted.
    pub unreadable: u64,
    /// Their turn had not come.
    pub budget: u64,
}

/// The sums of the host. `distinct_bytes` + `duplicate_bytes` is what was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TotalBytes {
    /// In the page cache, hashed or not.
    pub resident_bytes: u64,
    /// Hashed, on filesystems where pages have a clean state: what could be shared.
    pub eligible_bytes: u64,
    /// One copy of each content.
    pub distinct_bytes: u64,
    /// Copies beyond the first of each content.
    pub duplicate_bytes: u64,
    /// All copies of the zero page.
    pub zero_bytes: u64,
}

impl From<&Totals> for TotalBytes {
    fn from(totals: &Totals) -> Self {
        Self {
            resident_bytes: Bytes::of_pages(totals.resident).0,
            eligible_bytes: Bytes::of_pages(totals.eligible).0,
            distinct_bytes: Bytes::of_pages(totals.distinct).0,
            duplicate_bytes: Bytes::of_pages(totals.duplicate).0,
            zero_bytes: Bytes::of_pages(totals.zero_copies).0,
        }
    }
}

/// The duplicates whose nearest other copy is that near.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// Name of the scope.
    pub name: String,
    /// Copies beyond the first.
    pub duplicate_bytes: u64,
}

/// What one way of sharing would save.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mechanism {
    /// Name of the mechanism.
    pub name: String,
    /// Copies beyond the first of each class of equal pages.
    pub saving_bytes: u64,
    /// Classes of at least two pages.
    pub groups: u64,
    /// `exact`, `probable` or `verified`, of the least sure part.
    pub confidence: String,
    /// The saving by confidence, where it is not all as sure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_confidence: Vec<SureBytes>,
    /// Why it does not save what `content` would if no file were mapped writably; adds up to
    /// the difference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out_of_reach: Vec<Reason>,
    /// Of `erofs`, from `scan`: what is to be changed before it saves that; adds up to the
    /// saving.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Reason>,
    /// Of `erofs`: what the kernel saves already, because it keeps pages once for several
    /// files; no part of `saving_bytes`, nor of any other sum.
    #[serde(default, skip_serializing_if = "lists::is_zero")]
    pub already_shared_bytes: u64,
}

impl Mechanism {
    /// How sure the saving is, and how much of it is surer than the rest, in words.
    #[must_use]
    pub fn sureness(&self) -> String {
        let mut words = self.confidence.clone();
        let surer = self.by_confidence.iter();
        for part in surer.filter(|part| part.confidence != self.confidence) {
            let bytes = Bytes(part.saving_bytes).to_string();
            words.extend([", ", &bytes, " of it ", &part.confidence]);
        }
        words
    }

    /// Why it does not save what `content` could, in words; empty when it does.
    #[must_use]
    pub fn beyond(&self) -> String {
        let reasons = self.out_of_reach.iter();
        let words = reasons.map(|reason| format!("{} {}", Bytes(reason.bytes), reason.reason));
        words.collect::<Vec<_>>().join("; ")
    }
}

/// A part of a saving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SureBytes {
    /// `exact`, `probable` or `verified`.
    pub confidence: String,
    /// That part.
    pub saving_bytes: u64,
}

/// Why some bytes are not saved, or not yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// In words.
    pub reason: String,
    /// How much.
    pub bytes: u64,
}

/// A file of an upper layer and the lower file that it hides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CopyUpEntry {
    /// The upper file.
    pub path: String,
    /// The lower file.
    pub source: String,
    /// Cached in both, equal.
    pub equal_bytes: u64,
    /// Cached in both, different.
    pub differing_bytes: u64,
    /// Same size and no difference found: it was copied for its metadata.
    pub metadata_only: bool,
}

/// Two layers with equal contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LayerPair {
    /// The names of the layers, as in `layers`.
    pub layers: [String; 2],
    /// The images that have the one or the other.
    pub images: Vec<String>,
    /// Copies beyond the first whose nearest other copy is in the other layer.
    pub duplicate_bytes: u64,
}

/// A change that would save memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdviceEntry {
    /// The mechanism whose saving it is.
    pub mechanism: String,
    /// What to change.
    pub action: String,
    /// What it would save.
    pub saving_bytes: u64,
    /// The largest cause.
    pub cause: String,
}

impl AdviceEntry {
    /// What it would save, in words.
    #[must_use]
    pub fn saving(&self) -> String {
        Bytes(self.saving_bytes).to_string()
    }

    /// The change and its largest cause, in words.
    #[must_use]
    pub fn words(&self) -> String {
        if self.cause.is_empty() {
            return self.action.clone();
        }
        format!("{}; most of it: {}", self.action, self.cause)
    }
}

/// What could not be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityInfo {
    /// Cached for files whose layer cannot be told: they have no whole path, no mount shows
    /// them, or they are in a directory of a layer that neither a store nor a mount knows.
    pub unresolved_bytes: u64,
    /// Sentences about what could not be read, and what to do.
    pub warnings: Vec<String>,
}

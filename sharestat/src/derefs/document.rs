//! The result of `derefs watch` and `derefs exercise`, schema `sharestat.derefs/v1`:
//! plain data that every output format and `derefs diff` read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::Host;

/// Name of the schema.
pub const SCHEMA: &str = "sharestat.derefs/v1";

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of sharestat.
    pub version: String,
    /// The host that was watched.
    pub host: Host,
    /// How it was measured, and what was lost.
    pub measurement: Measurement,
    /// Parts of the page cache; empty for a workload that chose its own folios.
    pub strata: Vec<StratumRow>,
    /// Sites that touched the mapping of a folio of a file, most hits first.
    pub sites: Vec<SiteRow>,
    /// Code that touched the watched words only when they belonged to no file: in general
    /// the page allocator, when it checks pages that are freed.
    pub not_of_files: Vec<SiteRow>,
    /// The comparison with a static list; null when none was given.
    pub explained: Option<Explained>,
    /// Steps of the workload.
    pub steps: Vec<StepRow>,
    /// Page faults that mapped a page, and whether `vma->vm_file->f_mapping ==
    /// folio->mapping` held; empty where they could not be counted, see `probes`.
    #[serde(default)]
    pub faults: Vec<FaultRow>,
    /// What was set in the kernel, and what was refused.
    #[serde(default)]
    pub probes: Vec<ProbeRow>,
    /// Options of the kernel that bear on the question, as far as symbols tell.
    #[serde(default)]
    pub config: Vec<ConfigRow>,
    /// The answer in sentences.
    pub summary: Vec<String>,
    /// What limits the meaning of the numbers.
    pub notes: Vec<String>,
    /// Rules that are not told by types, with their reasons.
    pub overrides: Vec<Override>,
}

/// How it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// Time from start to end.
    pub duration_ns: u64,
    /// Time with breakpoints set.
    pub watched_ns: u64,
    /// Time paused because hits came faster than `max_hz`.
    pub paused_ns: u64,
    /// Time spent looking at the page cache, breakpoints off.
    pub census_ns: u64,
    /// Time spent moving breakpoints.
    pub arming_ns: u64,
    /// Seed of the choice of folios.
    pub seed: u64,
    /// Folios watched at a time.
    pub slots: u64,
    /// CPUs watched.
    pub cpus: u64,
    /// Windows.
    pub windows: u64,
    /// Limit of hits per second.
    pub max_hz: f64,
    /// Accesses noticed in the kernel.
    pub hits: u64,
    /// Those without a record.
    pub lost: u64,
    /// Reads by sharestat itself, left out.
    pub own_reads: u64,
    /// Hits whose instruction could not be told.
    pub undecoded: u64,
}

/// One stratum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StratumRow {
    /// Its name.
    pub name: String,
    /// Folios in it at the last census.
    pub folios: u64,
    /// Folios watched, each for one window.
    pub watched: u64,
    /// Folio seconds watched.
    pub seconds: f64,
}

/// A rate, estimated for all folios of the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// Per second.
    pub per_second: f64,
    /// Lower end of the 95 % confidence interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteRow {
    /// Names the site across kernels.
    pub id: String,
    /// Symbol.
    pub symbol: String,
    /// Offset of the instruction from it, in bytes.
    pub offset: u64,
    /// The function in the source.
    pub function: String,
    /// Module, where it is in one.
    pub module: Option<String>,
    /// The instruction; null when it could not be told.
    pub instruction: Option<String>,
    /// load, `tag_test`, compare, store or unknown.
    pub kind: String,
    /// Part of the kernel.
    pub subsystem: String,
    /// Hits with a folio of a file, its removal included.
    pub hits: u64,
    /// Those with an uptodate, clean, not writably mapped one.
    pub shareable_hits: u64,
    /// Hits with a word that belonged to no file.
    pub other_hits: u64,
    /// The most frequent context class.
    pub class: String,
    /// The function that decides the class, frames up, and its argument.
    pub context: Option<String>,
    /// Hits by context class.
    pub classes: BTreeMap<String, u64>,
    /// The most frequent commands.
    pub commands: Vec<String>,
    /// Hits by calling function, where the function only hands out the mapping of the folio
    /// that it is given, such as `folio_mapping`.
    #[serde(default)]
    pub callers: BTreeMap<String, u64>,
    /// Steps of the workload that hit it.
    pub steps: Vec<String>,
    /// Rate; null for a workload that chose its own folios.
    pub rate: Option<Rate>,
    /// Whether the static list has it; null without a list.
    pub in_static_list: Option<bool>,
    /// The most frequent stack, innermost first.
    pub stack: Vec<String>,
    /// File and line, and the functions inlined there, innermost first; empty unless the
    /// static list was made with debugging information.
    #[serde(default)]
    pub source: Vec<String>,
}

impl SiteRow {
    /// Whether it is in code common to all filesystems.
    #[must_use]
    pub fn is_common(&self) -> bool {
        matches!(self.subsystem.as_str(), "mm" | "fs")
    }

    /// Whether it looks at the pointer, not only at the tag bits.
    #[must_use]
    pub fn reads_pointer(&self) -> bool {
        matches!(self.kind.as_str(), "load" | "compare")
    }

    /// Symbol and offset.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.module {
            Some(module) => format!("{}+{:#x} [{module}]", self.symbol, self.offset),
            None => format!("{}+{:#x}", self.symbol, self.offset),
        }
    }

    /// Share of the hits with a folio that could be shared, in percent.
    #[must_use]
    pub fn shareable_percent(&self) -> f64 {
        percent(self.shareable_hits, self.hits)
    }
}

/// How far a static list explains what was watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// Where the list came from.
    pub source: String,
    /// Static sites, without doubtful ones.
    pub static_sites: u64,
    /// Those that were hit.
    pub reached: u64,
    /// Hits at static sites.
    pub hits_explained: u64,
    /// All hits of folios of files.
    pub hits: u64,
    /// Static sites that were not hit. Not reached by this workload; never 'safe'.
    pub not_reached: Vec<StaticRow>,
}

/// One static site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaticRow {
    /// Its id.
    pub id: String,
    /// Symbol and offset.
    pub place: String,
    /// Its kind.
    pub kind: String,
    /// Part of the kernel.
    pub subsystem: String,
    /// direct or none, by its prototype.
    pub class: String,
}

/// One step of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepRow {
    /// Its name.
    pub name: String,
    /// Whether it ran.
    pub ran: bool,
    /// What it does, or why it did not run.
    pub note: String,
    /// Hits during it.
    pub hits: u64,
    /// Sites hit during it.
    pub sites: u64,
}

/// Page faults that mapped pages of one filesystem.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultRow {
    /// What was mapped, with the filesystem it was opened on; null for everything else
    /// during the measurement.
    pub of: Option<String>,
    /// The filesystem of the folio's mapping, as the kernel calls it.
    pub filesystem: String,
    /// How often a fault mapped a folio of a file; one fault may map several.
    pub faults: u64,
    /// Those with `vma->vm_file->f_mapping == folio->mapping`.
    pub same_mapping: u64,
    /// Those with `vma->vm_file->f_inode == folio->mapping->host`.
    pub same_inode: u64,
    /// Faults of a mapped file that gave a private copy instead; not among `faults`.
    pub copies: u64,
}

/// Something set in the kernel to measure with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeRow {
    /// What it is.
    pub name: String,
    /// Whether it could be set.
    pub set: bool,
    /// How much of it, or why not.
    pub note: String,
}

/// An option of the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigRow {
    /// Its name.
    pub option: String,
    /// Whether the kernel has what only this option builds.
    pub built: bool,
    /// What it has to do with `folio->mapping`.
    pub about: String,
}

/// A rule with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Override {
    /// Function that it is about.
    pub function: String,
    /// Why.
    pub reason: String,
}

/// `part` of `whole` in percent, 0 of nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "percentages need no more")]
pub fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 * 100.0 / whole as f64
    }
}

//! The metrics of a host: the same names and meanings in a report written as `OpenMetrics`
//! and on the page that `serve` offers. Their labels take few values, whatever runs on the
//! host, and are never a path.

use std::collections::BTreeMap;

use super::family::{Family, Kind, Labels, Value};
use crate::{
    model::units::Bytes,
    report::document::{
        AvoidableInfo, Coverage, FilesystemEntry, Hook, MeasurementInfo, Mechanism, Scope, Tool,
        TotalBytes,
    },
    report::host::Host,
};

/// The sums, but for those by scope, mechanism and filesystem.
pub(crate) fn sums(totals: &TotalBytes, coverage: &Coverage) -> Vec<Family> {
    let hashed = Bytes::of_pages(coverage.hashed_pages).0;
    let sum = |name, help, bytes| Family::gauge(name, help, Some(Value::Whole(bytes))).in_bytes();
    vec![
        sum("resident", "In the page cache", totals.resident_bytes),
        sum("hashed", "In the page cache, with known content", hashed),
        skipped(coverage),
        sum(
            "eligible",
            "Hashed, clean, not mapped writably, where pages have a clean state: what could be shared",
            totals.eligible_bytes,
        ),
        sum(
            "distinct",
            "One copy of each content that was hashed",
            totals.distinct_bytes,
        ),
        sum("zero", "All copies of the zero page", totals.zero_bytes),
    ]
}

fn skipped(coverage: &Coverage) -> Family {
    let skipped = &coverage.skipped;
    let rows = [
        ("dirty", skipped.dirty),
        ("writeback", skipped.writeback),
        ("not_uptodate", skipped.not_uptodate),
        ("raced", skipped.raced),
        ("unreadable", skipped.unreadable),
        ("budget", skipped.budget),
    ];
    let rows = rows.map(|(reason, pages)| row("reason", reason, Bytes::of_pages(pages).0));
    Family::rows(
        "skipped",
        "In the page cache, content not known, by reason",
        Kind::Gauge,
        rows.into(),
    )
    .in_bytes()
}

/// How much of the page cache the numbers cover.
pub(crate) fn coverage(coverage: &Coverage, hooks: &[Hook]) -> Vec<Family> {
    vec![
        Family::gauge(
            "coverage_ratio",
            "Part of the resident pages whose content is known; absent when none is resident",
            ratio(coverage.hashed_pages, coverage.resident_pages).map(Value::Real),
        ),
        Family::gauge(
            "complete",
            "1 when every resident page was seen and no loss waits for its repair",
            Some(Value::Whole(u64::from(coverage.complete))),
        ),
        Family::counter(
            "events_lost",
            "Events lost since the measurement began; a census repairs them",
            Some(Value::Whole(coverage.events_lost)),
        ),
        Family::rows(
            "hook_lost",
            "Events of a hook that were lost",
            Kind::Counter,
            hooks
                .iter()
                .map(|hook| row("event", &hook.event, hook.lost))
                .collect(),
        ),
        Family::rows(
            "hook_attached",
            "1 when the hook is attached",
            Kind::Gauge,
            hooks
                .iter()
                .map(|hook| {
                    let attached = !hook.attached.starts_with("no");
                    row("event", &hook.event, u64::from(attached))
                })
                .collect(),
        ),
    ]
}

/// What the duplicates and savings consist of.
pub(crate) fn parts(
    filesystems: &[FilesystemEntry],
    scopes: &[Scope],
    mechanisms: &[Mechanism],
) -> Vec<Family> {
    // Superblocks come and go with containers; their types do not.
    let mut by_type: BTreeMap<&str, u64> = BTreeMap::new();
    for filesystem in filesystems {
        *by_type.entry(&filesystem.fs_type).or_default() += filesystem.resident_bytes;
    }
    let bytes = |name, help, rows| Family::rows(name, help, Kind::Gauge, rows).in_bytes();
    vec![
        bytes(
            "page_cache",
            "In the page cache, by type of filesystem",
            by_type
                .into_iter()
                .map(|(fs_type, bytes)| row("fs", fs_type, bytes))
                .collect(),
        ),
        bytes(
            "duplicate",
            "Copies beyond the first of each content, by how near the nearest copy is; adds up",
            scopes
                .iter()
                .map(|scope| row("scope", &scope.name, scope.duplicate_bytes))
                .collect(),
        ),
        bytes(
            "reclaimable",
            "What a way of sharing would save; the ways overlap",
            mechanisms
                .iter()
                .map(|mechanism| row("mechanism", &mechanism.name, mechanism.saving_bytes))
                .collect(),
        ),
        Family::rows(
            "reclaimable_confidence",
            "How sure a saving is: exact, verified, or probable",
            Kind::Info,
            mechanisms
                .iter()
                .map(|mechanism| {
                    let labels = vec![
                        ("mechanism", mechanism.name.clone()),
                        ("confidence", mechanism.confidence.clone()),
                    ];
                    (labels, Value::Whole(1))
                })
                .collect(),
        ),
    ]
}

/// What measures, and where.
pub(crate) fn about(tool: &Tool, host: &Host, measurement: &MeasurementInfo) -> Vec<Family> {
    let info = |name, help, labels: Labels| {
        Family::rows(name, help, Kind::Info, vec![(labels, Value::Whole(1))])
    };
    vec![
        build(tool),
        info(
            "measurement",
            "How it is measured",
            vec![
                ("engine", measurement.engine.clone()),
                ("kernel", host.kernel.clone()),
                ("arch", host.arch.clone()),
            ],
        ),
    ]
}

/// The version.
pub(crate) fn build(tool: &Tool) -> Family {
    Family::rows(
        "build",
        "The version of sharestat",
        Kind::Info,
        vec![(vec![("version", tool.version.clone())], Value::Whole(1))],
    )
}

pub(crate) fn row(label: &'static str, value: &str, number: u64) -> (Labels, Value) {
    (vec![(label, value.to_owned())], Value::Whole(number))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio needs no more than 52 bits"
)]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
/// Counters of what sharing would have spared, since the measurement began.
pub(crate) fn avoidable(info: &AvoidableInfo) -> [Family; 4] {
    [
        (
            "avoidable_reads",
            "Bytes read from storage while another page held them",
            info.reads_bytes,
        ),
        (
            "avoidable_reclaim",
            "Bytes reclaimed for which sharing would have left room",
            info.reclaim_bytes,
        ),
        (
            "known_reads",
            "Bytes read from storage whose content got known",
            info.read_bytes,
        ),
        (
            "known_reclaim",
            "Bytes reclaimed whose content was known",
            info.reclaimed_hashed_bytes,
        ),
    ]
    .map(|(name, help, bytes)| Family::counter(name, help, Some(Value::Whole(bytes))).in_bytes())
}

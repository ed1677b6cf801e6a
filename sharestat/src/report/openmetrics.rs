//! The report as `OpenMetrics` text, for the textfile collector of an exporter: gauges in
//! bytes and pages, with names as labels.

use std::{
    fmt,
    io::{self, Write},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use super::{
    Report,
    document::{AvoidableImage, AvoidableInfo, Group},
};

type Labels = Vec<(&'static str, String)>;

/// One metric with all its rows.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    rows: Vec<(Labels, u64)>,
    /// Whether it only grows while the measurement goes on.
    counts: bool,
}

/// All metrics of a report, in the order of the report.
#[derive(Debug)]
struct Metrics(Vec<Metric>);

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for metric in &self.0 {
            let mut rows = encoder.encode_descriptor(
                metric.name,
                metric.help,
                metric.unit.as_ref(),
                if metric.counts {
                    MetricType::Counter
                } else {
                    MetricType::Gauge
                },
            )?;
            for (labels, value) in &metric.rows {
                if metric.counts {
                    if labels.is_empty() {
                        rows.encode_counter::<NoLabelSet, _, u64>(value, None)?;
                    } else {
                        let mut row = rows.encode_family(labels)?;
                        row.encode_counter::<NoLabelSet, _, u64>(value, None)?;
                    }
                    continue;
                }
                // The type knows signed numbers only; no memory is that large.
                let value = i64::try_from(*value).unwrap_or(i64::MAX);
                if labels.is_empty() {
                    rows.encode_gauge(&value)?;
                } else {
                    rows.encode_family(labels)?.encode_gauge(&value)?;
                }
            }
        }
        Ok(())
    }
}

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    let mut registry = Registry::with_prefix("sharestat");
    registry.register_collector(Box::new(Metrics(metrics(report))));
    let mut text = String::new();
    encode(&mut text, &registry).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

fn metrics(report: &Report) -> Vec<Metric> {
    let mut metrics = Vec::from(totals(report));
    metrics.extend(coverage(report));
    metrics.extend(breakdown(report));
    metrics.extend(groups(report));
    metrics.extend(report.avoidable.iter().flat_map(avoidable));
    metrics.retain(|metric| !metric.rows.is_empty());
    metrics
}

fn totals(report: &Report) -> [Metric; 5] {
    let totals = &report.totals;
    [
        bytes(
            "resident",
            "Bytes in the page cache",
            plain(totals.resident_bytes),
        ),
        bytes(
            "eligible",
            "Hashed bytes that could be shared",
            plain(totals.eligible_bytes),
        ),
        bytes(
            "distinct",
            "Bytes of one copy of each content",
            plain(totals.distinct_bytes),
        ),
        bytes(
            "duplicate",
            "Bytes of copies beyond the first of each content",
            plain(totals.duplicate_bytes),
        ),
        bytes(
            "zero",
            "Bytes of all copies of the zero page",
            plain(totals.zero_bytes),
        ),
    ]
}

fn coverage(report: &Report) -> [Metric; 4] {
    let coverage = &report.coverage;
    let skipped = &coverage.skipped;
    [
        count(
            "hashed_pages",
            "Pages whose content is known",
            plain(coverage.hashed_pages),
        ),
        count(
            "skipped_pages",
            "Pages whose content is not known",
            [
                ("dirty", skipped.dirty),
                ("writeback", skipped.writeback),
                ("not_uptodate", skipped.not_uptodate),
                ("raced", skipped.raced),
                ("unreadable", skipped.unreadable),
                ("budget", skipped.budget),
            ]
            .map(|(reason, pages)| (vec![("reason", reason.to_owned())], pages))
            .to_vec(),
        ),
        count(
            "events_lost",
            "Events lost during the measurement",
            plain(coverage.events_lost),
        ),
        count(
            "complete",
            "1 when the measurement saw everything",
            plain(u64::from(coverage.complete)),
        ),
    ]
}

fn breakdown(report: &Report) -> [Metric; 3] {
    [
        bytes(
            "scope_duplicate",
            "Duplicate bytes by how near the copies are",
            {
                let rows = report.scopes.iter();
                rows.map(|row| (vec![("scope", row.name.clone())], row.duplicate_bytes))
                    .collect()
            },
        ),
        bytes(
            "mechanism_saving",
            "Bytes that a way of sharing would save",
            {
                let rows = report.mechanisms.iter();
                rows.map(|row| {
                    let confidence = ("confidence", row.confidence.clone());
                    (
                        vec![("mechanism", row.name.clone()), confidence],
                        row.saving_bytes,
                    )
                })
                .collect()
            },
        ),
        bytes(
            "filesystem_duplicate",
            "Bytes of a filesystem that have another copy",
            {
                let rows = report.filesystems.iter();
                rows.map(|row| {
                    let labels = vec![("filesystem", row.name.clone()), ("dev", row.dev.clone())];
                    (labels, row.duplicate_bytes)
                })
                .collect()
            },
        ),
    ]
}

fn groups(report: &Report) -> Vec<Metric> {
    let groups = [
        (
            "layer_duplicate",
            "layer",
            "Bytes of a layer that have another copy",
            &report.layers,
        ),
        (
            "image_duplicate",
            "image",
            "Bytes of an image that have another copy",
            &report.images,
        ),
        (
            "container_duplicate",
            "container",
            "Bytes of a container that have another copy",
            &report.containers,
        ),
        (
            "memcg_duplicate",
            "memcg",
            "Bytes of a memory cgroup that have another copy",
            &report.memcgs,
        ),
    ];
    let metric = |(name, label, help, rows): (_, _, _, &Vec<Group>)| {
        let rows = rows.iter().map(|row| {
            let labels = vec![(label, row.name.clone()), ("id", row.id.clone())];
            (labels, row.duplicate_bytes)
        });
        bytes(name, help, rows.collect())
    };
    let charged = report.memcgs.iter().map(|row| {
        let labels = vec![("memcg", row.name.clone()), ("id", row.id.clone())];
        (labels, row.resident_bytes)
    });
    let charged = bytes(
        "memcg_resident",
        "Bytes in the page cache charged to a memory cgroup",
        charged.collect(),
    );
    let mut metrics = Vec::from(groups.map(metric));
    metrics.push(charged);
    metrics
}

/// Counters since the measurement began.
fn avoidable(info: &AvoidableInfo) -> Vec<Metric> {
    let of_images = |value: fn(&AvoidableImage) -> u64| {
        let row = |image: &AvoidableImage| {
            let labels = vec![("image", image.name.clone()), ("id", image.id.clone())];
            (labels, value(image))
        };
        info.images.iter().map(row).collect()
    };
    let metrics = [
        (
            "avoidable_reads",
            "Bytes read from storage while another page held them",
            plain(info.reads_bytes),
        ),
        (
            "avoidable_reclaim",
            "Bytes reclaimed for which duplicates left no room",
            plain(info.reclaim_bytes),
        ),
        (
            "known_reads",
            "Bytes read from storage whose content got known",
            plain(info.read_bytes),
        ),
        (
            "known_reclaim",
            "Bytes reclaimed whose content was known",
            plain(info.reclaimed_hashed_bytes),
        ),
        (
            "image_avoidable_reads",
            "Bytes of an image read while another page held them",
            of_images(|image| image.reads_bytes),
        ),
        (
            "image_avoidable_reclaim",
            "Bytes of an image reclaimed for which duplicates left no room",
            of_images(|image| image.reclaim_bytes),
        ),
    ];
    let counter = |(name, help, rows)| Metric {
        counts: true,
        ..bytes(name, help, rows)
    };
    metrics.map(counter).into()
}

fn plain(value: u64) -> Vec<(Labels, u64)> {
    vec![(Labels::new(), value)]
}

fn bytes(name: &'static str, help: &'static str, rows: Vec<(Labels, u64)>) -> Metric {
    Metric {
        name,
        help,
        unit: Some(Unit::Bytes),
        rows,
        counts: false,
    }
}

fn count(name: &'static str, help: &'static str, rows: Vec<(Labels, u64)>) -> Metric {
    Metric {
        name,
        help,
        unit: None,
        rows,
        counts: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_sum_is_a_gauge_with_its_unit_and_labels_are_escaped() {
        let mut report = sample::report();
        report.filesystems[0].name = "/a \"b\"\\\n".to_owned();
        let mut out = Vec::new();
        write(&report, &mut out).expect("memory takes everything");
        let text = String::from_utf8(out).expect("text");
        assert!(
            text.contains(
                "# TYPE sharestat_duplicate_bytes gauge\n# UNIT sharestat_duplicate_bytes bytes\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("\nsharestat_duplicate_bytes 12288\n"),
            "{text}"
        );
        assert!(
            text.contains("sharestat_skipped_pages{reason=\"dirty\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("filesystem=\"/a \\\"b\\\"\\\\\\n\""),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"));
        for line in text.lines() {
            assert!(
                line.starts_with("# ") || line.starts_with("sharestat_"),
                "{line}"
            );
        }
    }
}

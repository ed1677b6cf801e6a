//! The report as `OpenMetrics` text, for the textfile collector of an exporter: the metrics
//! of the host, which `serve` offers too, and those of its filesystems, layers, images,
//! containers and memory cgroups, with their names as labels.

pub(crate) mod family;
pub(crate) mod host;

use std::io::{self, Write};

use self::family::{Family, Kind, Labels, Value};
use super::{
    Report,
    document::{AvoidableImage, AvoidableInfo, FilesystemEntry, Group},
};

/// Prefix of the names.
pub(crate) const PREFIX: &str = "sharestat";
/// The last line.
pub(crate) const END: &str = "# EOF\n";

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    let mut families = host::sums(&report.totals, &report.coverage);
    families.extend(host::parts(
        &report.filesystems,
        &report.scopes,
        &report.mechanisms,
    ));
    families.extend(host::coverage(&report.coverage, &report.measurement.hooks));
    families.push(filesystems(&report.filesystems));
    families.extend(groups(report));
    families.extend(report.avoidable.iter().flat_map(host::avoidable));
    families.extend(report.avoidable.iter().flat_map(avoidable_of_images));
    families.extend(host::about(&report.tool, &report.host, &report.measurement));
    let mut text = String::new();
    family::append(&mut text, Some(PREFIX), families).map_err(io::Error::other)?;
    text.push_str(END);
    out.write_all(text.as_bytes())
}

fn filesystems(rows: &[FilesystemEntry]) -> Family {
    let rows = rows.iter().map(|row| {
        let labels = vec![("filesystem", row.name.clone()), ("dev", row.dev.clone())];
        (labels, row.duplicate_bytes)
    });
    bytes(
        "filesystem_duplicate",
        "Bytes of a filesystem that have another copy",
        rows.collect(),
    )
}

fn groups(report: &Report) -> Vec<Family> {
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

/// Counters of images since the measurement began.
fn avoidable_of_images(info: &AvoidableInfo) -> [Family; 2] {
    let of_images = |value: fn(&AvoidableImage) -> u64| -> Vec<(Labels, Value)> {
        let row = |image: &AvoidableImage| {
            let labels = vec![("image", image.name.clone()), ("id", image.id.clone())];
            (labels, Value::Whole(value(image)))
        };
        info.images.iter().map(row).collect()
    };
    [
        (
            "image_avoidable_reads",
            "Bytes of an image read while another page held them",
            of_images(|image| image.reads_bytes),
        ),
        (
            "image_avoidable_reclaim",
            "Bytes of an image reclaimed for which sharing would have left room",
            of_images(|image| image.reclaim_bytes),
        ),
    ]
    .map(|(name, help, rows)| Family::rows(name, help, Kind::Counter, rows).in_bytes())
}

fn bytes(name: &'static str, help: &'static str, rows: Vec<(Labels, u64)>) -> Family {
    let rows = rows.into_iter();
    let rows = rows.map(|(labels, bytes)| (labels, Value::Whole(bytes)));
    Family::rows(name, help, Kind::Gauge, rows.collect()).in_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::sample, serve::syntax};

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
            text.contains("\nsharestat_duplicate_bytes{scope=\"host\"} 8192\n"),
            "{text}"
        );
        assert!(
            text.contains("sharestat_skipped_bytes{reason=\"dirty\"} 4096\n"),
            "{text}"
        );
        assert!(
            text.contains("filesystem=\"/a \\\"b\\\"\\\\\\n\""),
            "{text}"
        );
        assert!(text.contains("\nsharestat_events_lost_total 3\n"), "{text}");
        assert!(text.contains("\nsharestat_coverage_ratio 0.8\n"), "{text}");
        syntax::check(&text).expect("it is OpenMetrics");
    }

    #[test]
    fn parts_add_up_to_the_sum_they_are_parts_of() {
        let report = sample::report();
        let mut out = Vec::new();
        write(&report, &mut out).expect("memory takes everything");
        let samples = syntax::check(&String::from_utf8(out).expect("text")).expect("OpenMetrics");
        let sum = |name: &str| -> f64 {
            let rows = samples.iter().filter(|sample| sample.name == name);
            rows.map(|sample| sample.value).sum()
        };
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let of = |bytes: u64| bytes as f64;
        for (name, bytes) in [
            ("sharestat_page_cache_bytes", report.totals.resident_bytes),
            ("sharestat_duplicate_bytes", report.totals.duplicate_bytes),
        ] {
            assert!((sum(name) - of(bytes)).abs() < 0.5, "{name}");
        }
        let hashed = sum("sharestat_hashed_bytes") + sum("sharestat_skipped_bytes");
        assert!((hashed - of(report.totals.resident_bytes)).abs() < 0.5);
    }
}

//! Avoidable reads and reclaim of a measurement, in bytes and by image.

use std::cmp::Reverse;

use super::document::{AvoidableImage, AvoidableInfo};
use crate::model::{measurement::Measurement, units::Bytes};

/// The part of a report; `None` for a measurement of one moment.
pub(super) fn info(measurement: &Measurement) -> Option<AvoidableInfo> {
    let images = measurement.avoidable.as_ref()?;
    let counts = measurement.index.avoidable();
    let bytes = |pages: u64| Bytes::of_pages(pages).0;
    let entries = images.images.iter().map(|(id, image)| AvoidableImage {
        name: image.name.clone(),
        id: id.clone(),
        reads_bytes: bytes(image.part.reads),
        reclaim_bytes: bytes(image.part.reclaims),
    });
    let mut images: Vec<AvoidableImage> = entries.collect();
    images.sort_by_cached_key(|image| (Reverse(image.reads_bytes), image.id.clone()));
    Some(AvoidableInfo {
        reads_bytes: bytes(counts.avoidable_reads),
        reclaim_bytes: bytes(counts.avoidable_reclaims),
        read_bytes: bytes(counts.read),
        read_unknown_bytes: bytes(counts.unknown + counts.waiting()),
        written_bytes: bytes(counts.written),
        reclaimed_bytes: bytes(counts.reclaimed),
        reclaimed_hashed_bytes: bytes(counts.reclaimed_hashed),
        reclaimed_distinct_bytes: bytes(counts.reclaimed_distinct),
        images,
    })
}

/// Two lines for people: what, and of how much.
pub(super) fn lines(info: &AvoidableInfo) -> [(&'static str, String); 2] {
    [
        (
            "Avoidable reads",
            format!(
                "{} of the {} read and known ({} unknown)",
                Bytes(info.reads_bytes),
                Bytes(info.read_bytes),
                Bytes(info.read_unknown_bytes)
            ),
        ),
        (
            "Avoidable reclaim",
            format!(
                "{} of the {} reclaimed, of which {} were known",
                Bytes(info.reclaim_bytes),
                Bytes(info.reclaimed_bytes),
                Bytes(info.reclaimed_hashed_bytes)
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::report::{Report, html, markdown, sample};

    fn watched() -> Report {
        let mut report = sample::report();
        report.avoidable = Some(AvoidableInfo {
            reads_bytes: 5 << 20,
            read_bytes: 9 << 20,
            images: vec![AvoidableImage {
                name: "web:1".to_owned(),
                id: "sha256:1".to_owned(),
                reads_bytes: 3 << 20,
                reclaim_bytes: 7 << 20,
            }],
            ..AvoidableInfo::default()
        });
        report
    }

    fn written(write: impl Fn(&Report, &mut Vec<u8>) -> io::Result<()>, report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).expect("memory takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn markdown_and_html_say_what_was_avoidable_by_image() {
        let text = written(|report, out| markdown::write(report, out), &watched());
        assert!(
            text.contains("- Avoidable reads: 5.0 MiB of the 9.0 MiB"),
            "{text}"
        );
        assert!(text.contains("| web:1 | 3.0 MiB | 7.0 MiB |"), "{text}");
        let text = written(|report, out| html::write(report, out), &watched());
        assert!(
            text.contains("<p>Avoidable reads: 5.0 MiB of the 9.0 MiB"),
            "{text}"
        );
        assert!(text.contains("<td>web:1</td>"), "{text}");
        assert!(text.contains("data-value=\"7340032\""), "{text}");
        let text = written(|report, out| html::write(report, out), &sample::report());
        assert!(
            !text.contains("Avoidable"),
            "what was not watched is not told"
        );
    }
}

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

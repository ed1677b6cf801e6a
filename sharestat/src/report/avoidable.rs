//! Avoidable reads and reclaim of a measurement, in bytes and by image.

use std::{cmp::Reverse, collections::HashMap, time::Duration};

use super::document::{AvoidableImage, AvoidableInfo, AvoidableRates};
use crate::model::{measurement::Measurement, units::Bytes};

impl AvoidableInfo {
    /// Says how much it is per second since `before`, `time` ago.
    pub fn rate_since(&mut self, before: &Self, time: Duration) {
        let rates = |now: [u64; 2], then: [u64; 2]| {
            let rate = |part: usize| per_second(now[part].saturating_sub(then[part]), time);
            Some(AvoidableRates {
                reads_bytes_per_second: rate(0),
                reclaim_bytes_per_second: rate(1),
            })
        };
        self.rates = rates(
            [self.reads_bytes, self.reclaim_bytes],
            [before.reads_bytes, before.reclaim_bytes],
        );
        let known = before.images.iter();
        let known: HashMap<&str, &AvoidableImage> =
            known.map(|image| (image.id.as_str(), image)).collect();
        for image in &mut self.images {
            let then = known.get(image.id.as_str());
            let then = then.map_or([0, 0], |then| [then.reads_bytes, then.reclaim_bytes]);
            image.rates = rates([image.reads_bytes, image.reclaim_bytes], then);
        }
    }
}

/// What so many bytes in such a time are in a second.
pub(crate) fn per_second(bytes: u64, time: Duration) -> u64 {
    let rate = u128::from(bytes) * 1000 / time.as_millis().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

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
        rates: None,
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
        rates: None,
        images,
    })
}

/// The columns of a list by image; rates are there when they are known.
pub(super) fn columns(info: &AvoidableInfo) -> Vec<&'static str> {
    let all = ["reads", "reclaim", "reads/s", "reclaim/s"];
    all[..if info.rates.is_some() { 4 } else { 2 }].to_vec()
}

/// The bytes in these columns.
pub(super) fn numbers(image: &AvoidableImage) -> Vec<u64> {
    let mut numbers = vec![image.reads_bytes, image.reclaim_bytes];
    if let Some(rates) = image.rates {
        numbers.extend([rates.reads_bytes_per_second, rates.reclaim_bytes_per_second]);
    }
    numbers
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
    use std::{io, time::Duration};

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
                rates: None,
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
        assert!(!text.contains("reads/s"), "a whole has no rate: {text}");
        let text = written(|report, out| html::write(report, out), &sample::report());
        assert!(
            !text.contains("Avoidable"),
            "what was not watched is not told"
        );
    }

    #[test]
    fn pictures_say_how_much_it_is_per_second_by_image() {
        let mut report = watched();
        let mut before = watched().avoidable.expect("it was watched");
        before.reads_bytes = 1 << 20;
        before.images[0].reclaim_bytes = 1 << 20;
        let info = report.avoidable.as_mut().expect("it was watched");
        info.rate_since(&before, Duration::from_secs(2));
        let rates = |reads: u64, reclaim: u64| AvoidableRates {
            reads_bytes_per_second: reads << 20,
            reclaim_bytes_per_second: reclaim << 20,
        };
        assert_eq!(info.rates, Some(rates(2, 0)));
        assert_eq!(info.images[0].rates, Some(rates(0, 3)));
        // An image that was not there had nothing.
        before.images.clear();
        info.rate_since(&before, Duration::from_secs(1));
        assert_eq!(info.images[0].rates, Some(rates(3, 7)));
        let text = written(|report, out| markdown::write(report, out), &report);
        let row = "| web:1 | 3.0 MiB | 7.0 MiB | 3.0 MiB | 7.0 MiB |";
        assert!(text.contains(row), "{text}");
        let text = written(|report, out| html::write(report, out), &report);
        assert!(text.contains("reclaim/s"), "{text}");
        let json = serde_json::to_value(&report).expect("JSON");
        let image = &json["avoidable"]["images"][0]["rates"];
        assert_eq!(image["reclaim_bytes_per_second"], 7 << 20, "{image}");
    }
}

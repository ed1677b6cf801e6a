//! What sharing copied-up pages would save each container, from a report: it has the saving
//! of the mechanism in one sum, and lists copied files with what of them is unchanged.

use std::collections::BTreeMap;

use super::basis::count;
use crate::{model::units::Bytes, report::Report};

/// Bytes that `copy-up` saves each container, the mean of an image. `shown` has the numbers
/// of the containers that show a layer, `assigned` their images. Where the list of files does
/// not account for all of the saving, each container of the report has an equal part of it.
#[must_use]
pub fn by_image(
    report: &Report,
    shown: &BTreeMap<&str, Vec<usize>>,
    assigned: &[Option<usize>],
    images: usize,
) -> Vec<f64> {
    let mut saving = report.mechanisms.iter();
    let saving = saving.find(|row| row.name == "copy-up");
    let saving = saving.map_or(0, |row| row.saving_bytes);
    let containers = assigned.len() as u64;
    if saving == 0 || containers == 0 {
        return vec![0.0; images];
    }
    let listed = listed(report, shown, assigned.len());
    let all: u64 = listed.iter().sum();
    let part = |number: usize| {
        if all < saving {
            Bytes(saving).to_f64() / count(containers)
        } else {
            Bytes(saving).to_f64() * Bytes(listed[number]).to_f64() / Bytes(all).to_f64()
        }
    };
    let mut sums = vec![(0.0, 0); images];
    for (number, image) in assigned.iter().enumerate() {
        if let Some((bytes, containers)) = image.and_then(|image| sums.get_mut(image)) {
            *bytes += part(number);
            *containers += 1;
        }
    }
    let mean = |(bytes, containers): (f64, u64)| bytes / count(containers.max(1));
    sums.into_iter().map(mean).collect()
}

/// Unchanged bytes of the listed files by the container that writes to their layer.
fn listed(report: &Report, shown: &BTreeMap<&str, Vec<usize>>, containers: usize) -> Vec<u64> {
    let uppers: Vec<(&str, usize)> = report
        .layers
        .iter()
        .filter(|layer| layer.kind.as_deref() == Some("upper"))
        .filter_map(|layer| {
            let owner = shown.get(layer.id.as_str())?.first()?;
            Some((layer.directory.as_deref()?, *owner))
        })
        .collect();
    let mut bytes = vec![0; containers];
    for file in &report.copy_ups {
        let inside = |directory: &str| {
            let rest = file.path.strip_prefix(directory);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        // Of directories inside each other the inner one is the layer.
        let owner = uppers
            .iter()
            .filter(|(directory, _)| inside(directory))
            .max_by_key(|(directory, _)| directory.len());
        if let Some(bytes) = owner.and_then(|(_, owner)| bytes.get_mut(*owner)) {
            *bytes += file.equal_bytes;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::of_report::{caches, tests::group},
        report::{document::CopyUpEntry, sample},
    };

    /// Two containers of one image, one of another, over a lower layer of all; 30, 10 and 20
    /// of the 100 bytes in their upper layers are unchanged.
    fn report() -> Report {
        let mut report = sample::report();
        let upper = |name: &str| crate::report::document::Group {
            directory: Some(format!("/store/{name}/diff")),
            ..group(name, "upper", 100, 0.0, &[])
        };
        report.layers = vec![
            group("below", "lower", 1000, 0.0, &[]),
            upper("a"),
            upper("b"),
            upper("c"),
        ];
        let container = |name: &str| group(name, "", 1100, 0.0, &["below", name]);
        report.containers = ["a", "b", "c"].map(container).into();
        let file = |path: &str, equal| CopyUpEntry {
            path: path.to_owned(),
            source: "/store/below/diff/file".to_owned(),
            equal_bytes: equal,
            differing_bytes: 1,
            metadata_only: false,
        };
        report.copy_ups = vec![
            file("/store/a/diff/file", 25),
            file("/store/a/diff/etc/other", 5),
            file("/store/b/diff/file", 10),
            file("/store/c/diff/file", 20),
        ];
        report.mechanisms[0].name = "copy-up".to_owned();
        report.mechanisms[0].saving_bytes = 60;
        report
    }

    fn bytes(report: &Report, name: &str, counts: &[u64]) -> f64 {
        let caches = caches(report, &[Some(0), Some(0), Some(1)], 2, false);
        let cache = caches.iter().find(|cache| cache.name == name);
        cache.expect("it is listed").bytes(counts)
    }

    #[track_caller]
    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn each_image_saves_what_its_containers_left_unchanged() {
        let report = report();
        near(bytes(&report, "none", &[2, 1]), 1300.0);
        near(bytes(&report, "copy-up", &[2, 1]), 1240.0);
        // 1000 + 4 × (100 − (30 + 10) / 2) + 3 × (100 − 20)
        near(bytes(&report, "copy-up", &[4, 3]), 1560.0);
        near(bytes(&report, "content", &[4, 3]), 1700.0);
    }

    #[test]
    fn a_list_that_was_cut_gives_each_container_the_mean() {
        let mut report = report();
        report.copy_ups.truncate(1);
        // 1000 + 7 × (100 − 60 / 3)
        near(bytes(&report, "copy-up", &[4, 3]), 1560.0);
        near(bytes(&report, "copy-up", &[0, 1]), 1080.0);
        report.mechanisms[0].saving_bytes = 0;
        near(bytes(&report, "copy-up", &[0, 1]), 1100.0);
    }

    #[test]
    fn image_files_are_taken_off_the_host() {
        let mut report = report();
        report.mechanisms[0].name = "image-file".to_owned();
        report.totals.resident_bytes = 5000;
        report.filesystems.clear();
        let base = |name: &str, with_host| {
            let caches = caches(&report, &[Some(0), Some(0), Some(1)], 2, with_host);
            let cache = caches.iter().find(|cache| cache.name == name);
            cache.expect("it is listed").base
        };
        // 5000 − 1000 − 3 × 100, and 60 less.
        near(base("none", true), 3700.0);
        near(base("image-file", true), 3640.0);
        near(base("image-file", false), 0.0);
    }
}

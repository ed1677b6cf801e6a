//! Page cache from a report, which has sums instead of pages: what layers hold is exact,
//! what a mechanism saves between containers is estimated from their part of the
//! duplicates.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    basis::{Cache, count},
    composition::MECHANISMS,
    copied_up,
};
use crate::{
    model::units::Bytes,
    report::{Report, document::Group},
};

/// One layer and what it means for the forecast.
struct Held<'r> {
    layer: &'r Group,
    containers: Vec<usize>,
    images: Vec<usize>,
}

/// The page cache under each mechanism. `assigned` has the image of each container of the
/// report. Layers that containers without an image show are left out.
#[must_use]
pub fn caches(
    report: &Report,
    assigned: &[Option<usize>],
    images: usize,
    with_host: bool,
) -> Vec<Cache> {
    let mut counts = vec![0_u64; images];
    for image in assigned.iter().flatten() {
        counts[*image] += 1;
    }
    let mut shown: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, container) in report.containers.iter().enumerate() {
        for layer in &container.layers {
            shown.entry(layer).or_default().push(number);
        }
    }
    let mut cache = Cache::empty("none", "exact", images);
    let mut host = host_bytes(report);
    // The parts of the duplicates that lie in bytes of each kind.
    let (mut own_share, mut common_share) = (vec![0.0; images], 0.0);
    for layer in &report.layers {
        let Some(numbers) = shown.get(layer.id.as_str()) else {
            continue;
        };
        let bytes = Bytes(layer.resident_bytes).to_f64();
        host -= bytes;
        let held = held(layer, numbers, assigned);
        let lower = layer.kind.as_deref() != Some("upper");
        match (held.containers.as_slice(), held.images.as_slice()) {
            ([], _) | (_, []) => {}
            ([_], [image]) if !lower || counts[*image] > 1 => {
                cache.own[*image] += bytes / count(counts[*image]);
                own_share[*image] += held.layer.saving_share_bytes;
            }
            _ => {
                cache.add_common(held.images, bytes);
                common_share += held.layer.saving_share_bytes;
            }
        }
    }
    if with_host {
        cache.base = host.max(0.0);
    }
    let copied = copied_up::by_image(report, &shown, assigned, images);
    let avoided = if with_host {
        saving(report, "image-file").unwrap_or(0.0)
    } else {
        0.0
    };
    let shares = Shares {
        own: own_share,
        common: common_share,
        all: Bytes(report.totals.duplicate_bytes).to_f64(),
    };
    let estimated = |name: &&str| Cache {
        name: (*name).to_owned(),
        confidence: "estimated",
        ..cache.clone()
    };
    let under = |name: &&str| match *name {
        // Image files are the host's: no container shows them.
        "image-file" => Cache {
            base: (cache.base - avoided).max(0.0),
            ..estimated(name)
        },
        "copy-up" => {
            let own = cache.own.iter().zip(&copied);
            Cache {
                own: own.map(|(own, copied)| (own - copied).max(0.0)).collect(),
                ..estimated(name)
            }
        }
        _ => shares.shared(name, report, &cache, &counts),
    };
    MECHANISMS.iter().map(under).collect()
}

/// What a mechanism saves where it was measured.
fn saving(report: &Report, name: &str) -> Option<f64> {
    let row = report.mechanisms.iter().find(|row| row.name == name);
    row.map(|row| Bytes(row.saving_bytes).to_f64())
}

fn held<'r>(layer: &'r Group, numbers: &[usize], assigned: &[Option<usize>]) -> Held<'r> {
    let of = |number: &usize| assigned.get(*number).copied().flatten();
    let containers = numbers
        .iter()
        .copied()
        .filter(|number| of(number).is_some());
    let images: BTreeSet<usize> = numbers.iter().filter_map(of).collect();
    Held {
        layer,
        containers: containers.collect(),
        images: images.into_iter().collect(),
    }
}

/// Everything resident but tmpfs, which has no page cache to fall back on.
fn host_bytes(report: &Report) -> f64 {
    let tmpfs = report.filesystems.iter();
    let tmpfs: u64 = tmpfs
        .filter(|filesystem| matches!(filesystem.fs_type.as_str(), "tmpfs" | "devtmpfs"))
        .map(|filesystem| filesystem.resident_bytes)
        .sum();
    Bytes(report.totals.resident_bytes.saturating_sub(tmpfs)).to_f64()
}

/// Parts of the duplicates, in bytes.
struct Shares {
    own: Vec<f64>,
    common: f64,
    all: f64,
}

impl Shares {
    /// What a mechanism saves is taken off where the duplicates are. Of `k` containers
    /// that share alike, k − 1 lose what the first keeps.
    fn shared(&self, name: &str, report: &Report, none: &Cache, counts: &[u64]) -> Cache {
        let Some(saving) = saving(report, name).filter(|_| self.all > 0.0) else {
            return Cache {
                name: name.to_owned(),
                confidence: if name == "none" { "exact" } else { "estimated" },
                ..none.clone()
            };
        };
        let part = (saving / self.all).min(1.0);
        let mut cache = Cache {
            name: name.to_owned(),
            confidence: "estimated",
            ..none.clone()
        };
        let containers = count(counts.iter().sum());
        let mut once = 0.0;
        for (image, share) in self.own.iter().enumerate() {
            if containers < 2.0 || counts[image] == 0 {
                continue;
            }
            let all = none.own[image] * count(counts[image]);
            let lost = (share * part * containers / (containers - 1.0)).min(all);
            cache.own[image] = (all - lost) / count(counts[image]);
            once += lost / containers;
        }
        let left = 1.0 - (self.common * part / none.common_bytes(counts).max(1.0)).min(1.0);
        for common in &mut cache.common {
            common.bytes *= left;
        }
        let running = (0..counts.len()).filter(|image| counts[*image] > 0);
        cache.add_common(running.collect(), once);
        cache
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::sample;

    pub(in crate::plan) fn group(
        id: &str,
        kind: &str,
        resident: u64,
        share: f64,
        layers: &[&str],
    ) -> Group {
        Group {
            name: id.to_owned(),
            id: id.to_owned(),
            resident_bytes: resident,
            duplicate_bytes: 0,
            exclusive_bytes: 0,
            saving_share_bytes: share,
            proportional_bytes: None,
            charged_bytes: None,
            private_bytes: None,
            runtime: None,
            kind: Some(kind.to_owned()),
            directory: None,
            images: Vec::new(),
            layers: layers.iter().map(|layer| (*layer).to_owned()).collect(),
            containers: Vec::new(),
            pod: None,
        }
    }

    /// Four containers with a layer of 100 bytes each, of which 80 are equal in all.
    #[test]
    fn equal_containers_keep_once_what_they_share() {
        let mut report = sample::report();
        let names = ["a", "b", "c", "d"];
        report.layers = names
            .map(|name| group(name, "lower", 100, 60.0, &[]))
            .into();
        report.containers = names.map(|name| group(name, "", 100, 0.0, &[name])).into();
        report.totals.duplicate_bytes = 240;
        report.mechanisms[0].name = "content".to_owned();
        report.mechanisms[0].saving_bytes = 240;
        let caches = caches(&report, &[Some(0); 4], 1, false);
        let of = |name: &str, n| {
            let cache = caches.iter().find(|cache| cache.name == name);
            cache.expect("it is listed").bytes(&[n])
        };
        assert!((of("none", 4) - 400.0).abs() < 1e-9);
        assert!((of("none", 8) - 800.0).abs() < 1e-9);
        assert!((of("content", 4) - 160.0).abs() < 1e-9);
        assert!((of("content", 8) - 240.0).abs() < 1e-9);
    }
}

//! How many containers fit when one assumption is wrong and the others are right.

use super::{basis::Cache, document::Sensitivity, forecast::Scenario, model::Load};

/// By how much sizes are varied.
const PART: f64 = 0.2;

/// One assumption: its words, and load and page cache when it is wrong, two ways or one.
struct Assumption {
    words: String,
    variants: Vec<(Load, Cache)>,
}

/// Every assumption under every mechanism. `others` are the forecasts at other
/// percentiles.
#[must_use]
pub fn sensitivity(load: &Load, planned: &Scenario, others: &[Scenario]) -> Vec<Sensitivity> {
    let mut rows: Vec<Sensitivity> = Vec::new();
    for (number, cache) in planned.caches.iter().enumerate() {
        let none = planned.caches.first().unwrap_or(cache);
        let fits = load.fits(cache);
        let elsewhere = others.iter().filter_map(|other| other.caches.get(number));
        for assumption in assumptions(load, cache, none, elsewhere.collect()) {
            let variants = assumption.variants.iter();
            let found: Vec<Option<u64>> = variants
                .map(|(load, cache)| load.fits(cache))
                .chain([fits])
                .collect();
            // No limit is more than any number.
            let rank = |fits: &Option<u64>| fits.unwrap_or(u64::MAX);
            rows.push(Sensitivity {
                assumption: assumption.words,
                mechanism: cache.name.clone(),
                planned: fits,
                fewest: found.iter().copied().min_by_key(rank).flatten(),
                most: found.iter().copied().max_by_key(rank).flatten(),
            });
        }
    }
    rows
}

fn assumptions(load: &Load, cache: &Cache, none: &Cache, others: Vec<&Cache>) -> Vec<Assumption> {
    let both = |words: &str, change: &dyn Fn(f64) -> (Load, Cache)| Assumption {
        words: format!("{words} ±20 %"),
        variants: vec![change(1.0 - PART), change(1.0 + PART)],
    };
    let mut assumptions = vec![
        both("private memory of containers", &|factor| {
            let mut load = load.clone();
            for image in &mut load.images {
                image.private *= factor;
            }
            (load, cache.clone())
        }),
        both("page cache that each container adds", &|factor| {
            let mut cache = cache.clone();
            cache.own.iter_mut().for_each(|own| *own *= factor);
            (load.clone(), cache)
        }),
        both("page cache that is there once", &|factor| {
            let mut cache = cache.clone();
            cache.base *= factor;
            cache
                .common
                .iter_mut()
                .for_each(|common| common.bytes *= factor);
            (load.clone(), cache)
        }),
        both("memory of the host itself", &|factor| {
            let base = load.base * factor;
            (
                Load {
                    base,
                    ..load.clone()
                },
                cache.clone(),
            )
        }),
        Assumption {
            words: "a fifth of what is shared is not".to_owned(),
            variants: vec![(load.clone(), part_unshared(cache, none))],
        },
        Assumption {
            words: "pages without a hash are all shared".to_owned(),
            variants: vec![(load.clone(), all_hashed(cache, none))],
        },
    ];
    if load.images.iter().any(|image| image.refaulted > 0.0) {
        let mut larger = cache.clone();
        for (own, image) in larger.own.iter_mut().zip(&load.images) {
            *own += image.refaulted;
        }
        assumptions.push(Assumption {
            words: "pages that were read again are needed besides".to_owned(),
            variants: vec![(load.clone(), larger)],
        });
    }
    if load.images.len() > 1 {
        assumptions.push(Assumption {
            words: "one image a fifth more often".to_owned(),
            variants: (0..load.images.len())
                .map(|image| (more_often(load, image), cache.clone()))
                .collect(),
        });
    }
    if !others.is_empty() {
        assumptions.push(Assumption {
            words: "working set at another percentile".to_owned(),
            variants: others
                .into_iter()
                .map(|other| (load.clone(), other.clone()))
                .collect(),
        });
    }
    assumptions
}

/// Each container adds a fifth of what sharing spared it.
fn part_unshared(cache: &Cache, none: &Cache) -> Cache {
    let mut changed = cache.clone();
    for (own, alone) in changed.own.iter_mut().zip(&none.own) {
        *own += (alone - *own).max(0.0) * PART;
    }
    changed
}

/// What is not known of a container's pages is shared; without sharing there is nothing
/// to gain.
fn all_hashed(cache: &Cache, none: &Cache) -> Cache {
    let mut changed = cache.clone();
    if cache.name != none.name {
        for (own, unhashed) in changed.own.iter_mut().zip(&cache.unhashed) {
            *own = (*own - unhashed).max(0.0);
        }
    }
    changed
}

fn more_often(load: &Load, image: usize) -> Load {
    let mut load = load.clone();
    for (number, other) in load.images.iter_mut().enumerate() {
        other.replicas *= if number == image { 6 } else { 5 };
    }
    load
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::ImageLoad;

    fn row<'r>(rows: &'r [Sensitivity], words: &str, mechanism: &str) -> &'r Sensitivity {
        let mut rows = rows.iter();
        let found = rows.find(|row| row.assumption.contains(words) && row.mechanism == mechanism);
        found.expect("there is such a row")
    }

    #[test]
    fn each_assumption_has_its_own_effect() {
        let image = ImageLoad {
            replicas: 1,
            private: 10.0,
            refaulted: 0.0,
        };
        let load = Load {
            images: vec![image],
            base: 0.0,
            capacity: 1000.0,
        };
        let mut none = Cache::empty("none", "exact", 1);
        none.own[0] = 10.0;
        none.unhashed[0] = 5.0;
        let mut shared = Cache::empty("content", "exact", 1);
        shared.add_common(vec![0], 10.0);
        let planned = Scenario {
            percentile: None,
            caches: vec![none, shared],
        };
        let rows = sensitivity(&load, &planned, &[]);
        let private = row(&rows, "private", "none");
        // 1000 / 22, 1000 / 20, 1000 / 18
        assert_eq!(
            (private.fewest, private.planned, private.most),
            (Some(45), Some(50), Some(55))
        );
        let host = row(&rows, "host itself", "none");
        assert_eq!((host.fewest, host.most), (Some(50), Some(50)));
        // (1000 − 10) / 12
        let part = row(&rows, "a fifth of what is shared", "content");
        assert_eq!((part.fewest, part.planned), (Some(82), Some(99)));
        assert_eq!(row(&rows, "without a hash", "none").most, Some(50));
        assert!(
            rows.iter()
                .all(|row| !row.assumption.contains("read again"))
        );
        let mut again = load;
        again.images[0].refaulted = 5.0;
        let rows = sensitivity(&again, &planned, &[]);
        let again = row(&rows, "read again", "none");
        assert_eq!((again.fewest, again.most), (Some(40), Some(50)));
    }
}

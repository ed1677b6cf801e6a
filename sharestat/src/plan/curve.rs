//! Memory by number of containers: every number at first, then about a hundred more.

use super::{
    basis::{Cache, whole},
    document::Point,
    model::{Load, Sequence},
};

/// Up to here every number is a point.
const EVERY: u64 = 32;
/// Points beyond.
const MORE: u64 = 100;

/// The points from 0 to `end`, among them those of `at`.
#[must_use]
pub fn curve(load: &Load, cache: &Cache, end: u64, at: &[u64]) -> Vec<Point> {
    let step = end.saturating_sub(EVERY).div_ceil(MORE).max(1);
    let mut sequence = Sequence::new(load);
    let mut points = Vec::new();
    for containers in 0..=end {
        let regular = containers <= EVERY || (containers - EVERY).is_multiple_of(step);
        if regular || containers == end || at.contains(&containers) {
            let memory = load.memory(cache, sequence.counts());
            points.push(Point {
                containers,
                memory_bytes: whole(memory.total()),
                page_cache_bytes: whole(memory.page_cache),
            });
        }
        sequence.step();
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::ImageLoad;

    #[test]
    fn a_long_curve_has_few_points_and_those_that_were_asked_for() {
        let load = Load {
            images: vec![ImageLoad {
                replicas: 1,
                private: 2.0,
                refaulted: 0.0,
            }],
            base: 5.0,
            capacity: 100.0,
        };
        let mut cache = Cache::empty("none", "exact", 1);
        cache.own[0] = 1.0;
        let points = curve(&load, &cache, 10_000, &[777]);
        assert!(points.len() < 150, "{}", points.len());
        assert_eq!(points.last().map(|point| point.containers), Some(10_000));
        let asked = points.iter().find(|point| point.containers == 777);
        let asked = asked.expect("it was asked for");
        assert_eq!(asked.memory_bytes, 5 + 777 * 3);
        assert_eq!(asked.page_cache_bytes, 777);
    }
}

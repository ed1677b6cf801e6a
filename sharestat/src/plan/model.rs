//! The model: memory(N) = base + private memory + page cache under a mechanism, for N
//! containers that are spread over the images as the mix says.

use super::basis::{Cache, count};

/// More containers than this no host is asked about.
pub const MOST_CONTAINERS: u64 = 100_000;

/// What is independent of the mechanism.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// The images.
    pub images: Vec<ImageLoad>,
    /// What the host uses without containers, page cache aside, in bytes.
    pub base: f64,
    /// What may be used, in bytes: memory less reserve.
    pub capacity: f64,
}

/// One image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageLoad {
    /// Containers of it in one mix.
    pub replicas: u64,
    /// What each uses alone, page cache aside, in bytes.
    pub private: f64,
    /// Pages of files that each read again because they had been reclaimed, in bytes.
    pub refaulted: f64,
}

/// Memory with some number of containers, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// The host's own, page cache aside.
    pub base: f64,
    /// Of the containers, page cache aside.
    pub private: f64,
    /// Page cache of host and containers.
    pub page_cache: f64,
}

impl Memory {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.base + self.private + self.page_cache
    }
}

impl Load {
    /// Containers in one mix.
    #[must_use]
    pub fn mix(&self) -> u64 {
        self.images.iter().map(|image| image.replicas).sum()
    }

    /// Memory with so many containers of each image.
    #[must_use]
    pub fn memory(&self, cache: &Cache, counts: &[u64]) -> Memory {
        let images = self.images.iter().zip(counts);
        Memory {
            base: self.base,
            private: images.map(|(image, n)| image.private * count(*n)).sum(),
            page_cache: cache.bytes(counts),
        }
    }

    /// Memory with `containers` of the mix.
    #[must_use]
    pub fn memory_of(&self, cache: &Cache, containers: u64) -> Memory {
        let mut sequence = Sequence::new(self);
        (0..containers).for_each(|_| {
            sequence.step();
        });
        self.memory(cache, sequence.counts())
    }

    /// The bytes that one more container costs, on the average of a mix, once every image
    /// runs.
    #[must_use]
    pub fn per_container(&self, cache: &Cache) -> f64 {
        let each = self.images.iter().zip(&cache.own);
        let mix: f64 = each
            .map(|(image, own)| count(image.replicas) * (image.private + own))
            .sum();
        mix / count(self.mix().max(1))
    }

    /// How many containers fit; `None` when [`MOST_CONTAINERS`] do.
    #[must_use]
    pub fn fits(&self, cache: &Cache) -> Option<u64> {
        let mut walk = Walk::new(self, cache);
        let mut fitting = 0;
        for containers in 1..=MOST_CONTAINERS {
            if walk.step().total() > self.capacity {
                return Some(fitting);
            }
            fitting = containers;
        }
        None
    }

    /// The smallest number of containers at which `shared` needs less memory than `alone`
    /// by this part of it (0 to 1), if there is one.
    #[must_use]
    pub fn matters_from(&self, alone: &Cache, shared: &Cache, part: f64) -> Option<u64> {
        let mut walks = (Walk::new(self, alone), Walk::new(self, shared));
        (1..=MOST_CONTAINERS.min(10_000)).find(|_| {
            let (alone, shared) = (walks.0.step().total(), walks.1.step().total());
            alone - shared > alone * part
        })
    }
}

/// Which image the next container is of: always the one that is furthest behind its share
/// (smooth weighted round robin), so that every number of containers is near the mix.
#[derive(Clone, Debug)]
pub struct Sequence {
    weights: Vec<i128>,
    behind: Vec<i128>,
    counts: Vec<u64>,
}

impl Sequence {
    /// No container yet.
    #[must_use]
    pub fn new(load: &Load) -> Self {
        let weights: Vec<i128> = load
            .images
            .iter()
            .map(|image| image.replicas.into())
            .collect();
        Self {
            behind: vec![0; weights.len()],
            counts: vec![0; weights.len()],
            weights,
        }
    }

    /// One more container; the number of its image.
    pub fn step(&mut self) -> usize {
        let all: i128 = self.weights.iter().sum();
        for (behind, weight) in self.behind.iter_mut().zip(&self.weights) {
            *behind += weight;
        }
        // The first of those that are furthest behind.
        let mut next = 0;
        for (image, behind) in self.behind.iter().enumerate() {
            if *behind > self.behind[next] {
                next = image;
            }
        }
        if let Some(behind) = self.behind.get_mut(next) {
            *behind -= all;
            self.counts[next] += 1;
        }
        next
    }

    /// Containers of each image.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }
}

/// Memory from one number of containers to the next.
struct Walk<'a> {
    load: &'a Load,
    cache: &'a Cache,
    sequence: Sequence,
    memory: Memory,
    own: f64,
    common: f64,
}

impl<'a> Walk<'a> {
    fn new(load: &'a Load, cache: &'a Cache) -> Self {
        Self {
            load,
            cache,
            sequence: Sequence::new(load),
            memory: Memory {
                base: load.base,
                ..Memory::default()
            },
            own: 0.0,
            common: 0.0,
        }
    }

    fn step(&mut self) -> Memory {
        let image = self.sequence.step();
        self.memory.private += self
            .load
            .images
            .get(image)
            .map_or(0.0, |image| image.private);
        self.own += self.cache.own.get(image).copied().unwrap_or(0.0);
        if self.sequence.counts().get(image) == Some(&1) {
            self.common = self.cache.common_bytes(self.sequence.counts());
        }
        self.memory.page_cache = self.cache.base + self.own + self.common;
        self.memory
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::basis::Common;

    fn load(replicas: &[u64]) -> Load {
        let image = |replicas: &u64| ImageLoad {
            replicas: *replicas,
            private: 10.0,
            refaulted: 0.0,
        };
        Load {
            images: replicas.iter().map(image).collect(),
            base: 100.0,
            capacity: 1000.0,
        }
    }

    fn cache(own: &[f64], common: &[(&[usize], f64)]) -> Cache {
        let common = common.iter().map(|(images, bytes)| Common {
            images: images.to_vec(),
            bytes: *bytes,
        });
        Cache {
            base: 50.0,
            own: own.to_vec(),
            common: common.collect(),
            ..Cache::empty("none", "exact", own.len())
        }
    }

    #[test]
    fn memory_is_base_private_and_page_cache() {
        let (load, cache) = (load(&[1]), cache(&[20.0], &[(&[0], 200.0)]));
        let memory = load.memory_of(&cache, 8);
        assert_eq!(memory.base.to_bits(), 100.0_f64.to_bits());
        assert!((memory.private - 80.0).abs() < 1e-9);
        assert!((memory.page_cache - (50.0 + 160.0 + 200.0)).abs() < 1e-9);
        assert!((load.memory_of(&cache, 0).page_cache - 50.0).abs() < 1e-9);
        // 100 + 50 + 200 + 30 N ≤ 1000
        assert_eq!(load.fits(&cache), Some(21));
        assert!((load.per_container(&cache) - 30.0).abs() < 1e-9);
    }

    #[test]
    fn what_costs_nothing_fits_without_end() {
        let mut load = load(&[1]);
        load.images[0].private = 0.0;
        assert_eq!(load.fits(&cache(&[0.0], &[])), None);
        load.capacity = 10.0;
        assert_eq!(load.fits(&cache(&[0.0], &[])), Some(0));
    }

    #[test]
    fn sharing_matters_from_where_it_saves_the_part() {
        let load = load(&[1]);
        let alone = cache(&[100.0], &[]);
        let shared = cache(&[0.0], &[(&[0], 100.0)]);
        // N = 1: 260 and 260; N = 2: 370 and 270; N = 3: 480 and 280.
        assert_eq!(load.matters_from(&alone, &shared, 0.05), Some(2));
        assert_eq!(load.matters_from(&alone, &shared, 0.4), Some(3));
        assert_eq!(load.matters_from(&alone, &alone, 0.0), None);
    }

    #[test]
    fn what_two_images_have_in_common_comes_with_the_first_of_them() {
        let cache = cache(&[1.0, 1.0, 1.0], &[(&[0, 1], 30.0), (&[2], 7.0)]);
        assert!((cache.bytes(&[0, 0, 1]) - 58.0).abs() < 1e-9);
        assert!((cache.bytes(&[0, 2, 0]) - 82.0).abs() < 1e-9);
        assert!((cache.bytes(&[1, 1, 1]) - 90.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn every_number_of_containers_is_within_one_of_the_mix(
            replicas in proptest::collection::vec(1_u64..20, 1..6), containers in 0_u64..300,
        ) {
            let load = load(&replicas);
            let mut sequence = Sequence::new(&load);
            (0..containers).for_each(|_| { sequence.step(); });
            prop_assert_eq!(sequence.counts().iter().sum::<u64>(), containers);
            let mix = load.mix();
            for (got, weight) in sequence.counts().iter().zip(&replicas) {
                let off = i128::from(got * mix) - i128::from(weight * containers);
                prop_assert!(off.abs() < i128::from(mix) * 2, "{:?}", sequence.counts());
                if containers % mix == 0 {
                    prop_assert_eq!(off, 0);
                }
            }
        }

        #[test]
        fn a_walk_has_the_memory_of_each_number(
            replicas in proptest::collection::vec(1_u64..5, 2), containers in 1_u64..50,
        ) {
            let load = load(&replicas);
            let cache = cache(&[3.0, 5.0], &[(&[0, 1], 11.0), (&[1], 13.0)]);
            let mut walk = Walk::new(&load, &cache);
            let mut last = Memory::default();
            (0..containers).for_each(|_| last = walk.step());
            prop_assert!((last.total() - load.memory_of(&cache, containers).total()).abs() < 1e-6);
        }
    }
}

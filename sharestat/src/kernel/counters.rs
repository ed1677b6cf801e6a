//! Reads the counters and cost histograms of the BPF programs.

use std::io;

use aya::{
    Ebpf,
    maps::{Map, MapData, MapError, PerCpuArray},
};
use hdrhistogram::Histogram;
use sharestat_ebpf::{
    counters::Counter,
    records::{COST_BUCKETS, cost_hook},
};

use super::error::Error;

/// Values of all counters at one moment, summed over CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    values: Vec<u64>,
}

impl Counters {
    /// The value of `counter`.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.values.get(counter as usize).copied().unwrap_or(0)
    }

    /// Names and values, in the order of [`Counter::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Counter::ALL
            .iter()
            .map(|counter| (counter.name(), self.get(*counter)))
    }
}

/// Hooks with a cost histogram: name and index.
const HOOKS: [(&str, u32); cost_hook::COUNT as usize] = [
    ("mm_filemap_add_to_page_cache", cost_hook::ADDED),
    ("mm_filemap_delete_from_page_cache", cost_hook::REMOVED),
    ("writeback_dirty_folio", cost_hook::DIRTIED),
];

/// The counter maps, taken out of the loaded object.
pub(super) struct CounterMaps {
    counters: PerCpuArray<MapData, u64>,
    costs: PerCpuArray<MapData, [u64; COST_BUCKETS]>,
}

fn failed(map: &'static str, error: MapError) -> Error {
    Error::Map {
        map,
        source: io::Error::other(error),
    }
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, Error> {
    ebpf.take_map(name).ok_or(Error::Missing { name })
}

impl CounterMaps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, Error> {
        Ok(Self {
            counters: PerCpuArray::try_from(take(ebpf, "COUNTERS")?)
                .map_err(|error| failed("COUNTERS", error))?,
            costs: PerCpuArray::try_from(take(ebpf, "HOOK_COST")?)
                .map_err(|error| failed("HOOK_COST", error))?,
        })
    }

    /// Sums every counter over the CPUs.
    pub(super) fn read(&self) -> Result<Counters, Error> {
        let values: Result<Vec<u64>, Error> = Counter::ALL
            .iter()
            .map(|counter| self.read_one(*counter))
            .collect();
        Ok(Counters { values: values? })
    }

    /// Sums one counter over the CPUs.
    pub(super) fn read_one(&self, counter: Counter) -> Result<u64, Error> {
        let per_cpu = self
            .counters
            .get(&(counter as u32), 0)
            .map_err(|error| failed("COUNTERS", error))?;
        let sum = |sum: u64, value: &u64| sum.wrapping_add(*value);
        Ok(per_cpu.iter().fold(0, sum))
    }

    /// Cost of each hook in nanoseconds, sampled once in 64 calls.
    pub(super) fn costs(&self) -> Result<Vec<(&'static str, Histogram<u64>)>, Error> {
        let mut found = Vec::new();
        for (name, hook) in HOOKS {
            let per_cpu = self
                .costs
                .get(&hook, 0)
                .map_err(|error| failed("HOOK_COST", error))?;
            let mut histogram = new_histogram();
            for buckets in per_cpu.iter() {
                for (bucket, calls) in buckets.iter().enumerate().filter(|(_, calls)| **calls != 0)
                {
                    histogram.saturating_record(lower_bound(bucket).max(1));
                    let _ = histogram.record_n(lower_bound(bucket).max(1), calls - 1);
                }
            }
            found.push((name, histogram));
        }
        Ok(found)
    }
}

/// Histogram of nanoseconds or milliseconds, 1 to an hour in ns, two digits.
pub(super) fn new_histogram() -> Histogram<u64> {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants that hdrhistogram accepts"
    )]
    Histogram::new_with_bounds(1, 3_600_000_000_000, 2).expect("constant bounds")
}

/// Smallest value of a cost bucket: eight per octave, exact below 16.
fn lower_bound(bucket: usize) -> u64 {
    if bucket < 16 {
        return bucket as u64;
    }
    let octave = bucket / 8 - 1;
    (8 + (bucket % 8) as u64) << octave
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_buckets_rise_without_gaps() {
        assert_eq!(lower_bound(15), 15);
        assert_eq!(lower_bound(16), 16);
        assert_eq!(lower_bound(17), 18);
        assert_eq!(lower_bound(24), 32);
        assert!((1..239).all(|bucket| lower_bound(bucket) > lower_bound(bucket - 1)));
    }
}

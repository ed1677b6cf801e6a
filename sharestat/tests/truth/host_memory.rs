//! What the kernel says of the whole machine's page cache.

use std::{collections::HashMap, fs, thread, time::Duration};

use crate::harness::OrFail;

/// `/proc/meminfo`, bytes by name, and [`ON_CPUS`].
pub(crate) struct MemInfo(HashMap<String, u64>);

/// Free pages that CPUs keep to themselves (`per_cpu_pages`): `MemFree` is without them, and
/// they can be many MiB, because since 6.7 the kernel tunes how many each CPU may keep.
pub(crate) const ON_CPUS: &str = "free on CPUs";

impl MemInfo {
    /// Now, with the counts that CPUs keep to themselves folded in first.
    pub(crate) fn read() -> Self {
        // vm.stat_refresh: without it a count can be off by some hundred pages per CPU.
        // Kernels without it only make the comparison coarser.
        let _ = fs::read("/proc/sys/vm/stat_refresh");
        let text = fs::read_to_string("/proc/meminfo").or_fail("reading '/proc/meminfo'");
        let lines = text.lines().filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let kib: u64 = value.trim().trim_end_matches(" kB").parse().ok()?;
            Some((name.to_owned(), kib * 1024))
        });
        let mut lines: HashMap<String, u64> = lines.collect();
        lines.insert(ON_CPUS.to_owned(), free_on_cpus());
        Self(lines)
    }

    /// When free memory stands still, or after half a minute: the kernel gives back what
    /// ended programs, unmounted filesystems and unloaded BPF objects had some time later.
    pub(crate) fn at_rest() -> Self {
        let mut before = Self::read();
        for _ in 0..30 {
            thread::sleep(Duration::from_secs(1));
            let now = Self::read();
            if now.bytes("MemFree").abs_diff(before.bytes("MemFree")) < 256 << 10 {
                return now;
            }
            before = now;
        }
        before
    }

    /// Bytes of one line.
    pub(crate) fn bytes(&self, name: &str) -> u64 {
        let value = self.0.get(name).copied();
        value.unwrap_or_else(|| panic!("'/proc/meminfo' has no '{name}'"))
    }

    /// Memory that is free, wherever the kernel keeps it.
    pub(crate) fn free(&self) -> u64 {
        self.bytes("MemFree") + self.bytes(ON_CPUS)
    }

    /// Everything in the page cache: `Cached` leaves out block devices (`Buffers`).
    pub(crate) fn page_cache(&self) -> u64 {
        self.bytes("Cached") + self.bytes("Buffers")
    }
}

/// The `count` of each CPU in each zone of `/proc/zoneinfo`.
fn free_on_cpus() -> u64 {
    let text = fs::read_to_string("/proc/zoneinfo").or_fail("reading '/proc/zoneinfo'");
    let counts = text.lines().filter_map(|line| {
        let count = line.trim().strip_prefix("count:")?;
        count.trim().parse::<u64>().ok()
    });
    counts.sum::<u64>() * 4096
}

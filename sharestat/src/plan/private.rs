//! What containers and the host use besides page cache, from the memory cgroups in
//! recordings: chosen cgroups, what they use at the end, and which pages they read again.

use std::{collections::BTreeMap, path::Path};

use super::document::Known;
use crate::model::{
    memory::{CgroupMemory, HostMemory, MemoryStat},
    units::{Bytes, PAGE_SIZE},
};

/// What one container of an image uses alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateMemory {
    /// Page cache aside.
    pub bytes: Bytes,
    /// Where that is known from.
    pub from: Known,
    /// Pages of files that it read again because they had been reclaimed, where that was
    /// measured: its working set is larger than what was resident, by this much at most.
    pub refaulted: Option<Bytes>,
}

impl PrivateMemory {
    /// Counts as nothing.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            bytes: Bytes(0),
            from: Known::Unknown,
            refaulted: None,
        }
    }

    /// As somebody says.
    #[must_use]
    pub const fn stated(bytes: u64) -> Self {
        Self {
            bytes: Bytes(bytes),
            from: Known::Stated,
            refaulted: None,
        }
    }
}

/// Cgroups that were chosen, over a recording: each with what it used the first and the
/// last time that it was seen.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    cgroups: BTreeMap<String, (MemoryStat, MemoryStat)>,
}

impl Chosen {
    /// Those that `takes` says, but not those inside another one that was taken.
    pub fn of(moments: &[HostMemory], takes: impl Fn(&CgroupMemory) -> bool) -> Self {
        let mut chosen = Self::default();
        for moment in moments {
            for cgroup in moment.cgroups.iter().filter(|cgroup| takes(cgroup)) {
                let seen = (cgroup.stat, cgroup.stat);
                let held = chosen.cgroups.entry(cgroup.path.clone()).or_insert(seen);
                held.1 = cgroup.stat;
            }
        }
        let paths: Vec<String> = chosen.cgroups.keys().cloned().collect();
        let is_inside = |path: &String| {
            let mut above = Path::new(path).ancestors().skip(1);
            above.any(|above| {
                let above = above.to_str().unwrap_or_default();
                paths
                    .binary_search_by(|known| known.as_str().cmp(above))
                    .is_ok()
            })
        };
        chosen.cgroups.retain(|path, _| !is_inside(path));
        chosen
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cgroups.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cgroups.is_empty()
    }

    /// What they use together, besides page cache, when they were seen last.
    #[must_use]
    pub fn private(&self) -> Bytes {
        let all = self.cgroups.values().map(|(_, last)| last.private().0);
        Bytes(all.fold(0, u64::saturating_add))
    }

    /// The mean of them; `None` of none.
    #[must_use]
    pub fn mean(&self) -> Option<PrivateMemory> {
        let count = u64::try_from(self.len()).ok().filter(|count| *count > 0)?;
        let again = self.cgroups.values().map(|(first, last)| {
            let pages = last.refaults.saturating_sub(first.refaults);
            pages.saturating_mul(PAGE_SIZE)
        });
        Some(PrivateMemory {
            bytes: Bytes(self.private().0 / count),
            from: Known::Measured,
            refaulted: Some(Bytes(again.fold(0, u64::saturating_add) / count)),
        })
    }
}

/// What a host used last, without these cgroups and without what measured it; `None` when
/// that was not recorded.
#[must_use]
pub fn host_without(moments: &[HostMemory], containers: &Chosen) -> Option<Bytes> {
    let last = moments.last()?;
    let used = last.used?.0.saturating_sub(last.own.0);
    Some(Bytes(used.saturating_sub(containers.private().0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cgroup(path: &str, anon: u64, refaults: u64) -> CgroupMemory {
        CgroupMemory {
            path: path.to_owned(),
            container: None,
            stat: MemoryStat {
                anon: Bytes(anon),
                refaults,
                ..MemoryStat::default()
            },
        }
    }

    fn moments() -> [HostMemory; 2] {
        let moment = |cgroups: Vec<CgroupMemory>| HostMemory {
            used: Some(Bytes(1000)),
            own: Bytes(100),
            cgroups,
            notes: Vec::new(),
        };
        [
            moment(vec![cgroup("/a", 10, 5), cgroup("/gone", 7, 0)]),
            moment(vec![
                cgroup("/a", 30, 9),
                cgroup("/a/inside", 20, 9),
                cgroup("/a b", 3, 0),
            ]),
        ]
    }

    #[test]
    fn a_cgroup_counts_once_and_as_it_was_seen_last() {
        let all = Chosen::of(&moments(), |_| true);
        assert_eq!(all.len(), 3, "{all:?}");
        assert_eq!(all.private(), Bytes(40));
        let one = Chosen::of(&moments(), |cgroup| cgroup.path == "/a");
        let mean = one.mean().expect("there is one");
        assert_eq!(
            (mean.bytes, mean.refaulted),
            (Bytes(30), Some(Bytes(4 * 4096)))
        );
        assert_eq!(Chosen::of(&moments(), |_| false).mean(), None);
    }

    #[test]
    fn the_host_uses_what_neither_containers_nor_the_measurement_use() {
        let one = Chosen::of(&moments(), |cgroup| cgroup.path == "/a");
        assert_eq!(host_without(&moments(), &one), Some(Bytes(870)));
        assert_eq!(host_without(&[], &one), None);
    }
}

//! What the kernel counts of the memory of a host and of its memory cgroups, beside the
//! pages that are in the index. From `memory.stat` of cgroup v2 or v1
//! (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst) and `/proc/meminfo`.

use serde::{Deserialize, Serialize};

use super::units::Bytes;

/// What one memory cgroup and those below it use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStat {
    /// Anonymous memory.
    pub anon: Bytes,
    /// Memory of the kernel for it: slab, stacks, page tables, and so on. `None` where
    /// the kernel does not say, as in `memory.stat` of cgroup v1.
    pub kernel: Option<Bytes>,
    /// tmpfs and shared anonymous memory; recordings leave tmpfs out of the page cache.
    pub shmem: Bytes,
    /// Page cache charged to it, with `shmem`.
    pub file: Bytes,
    /// Pages of files that came back soon after they were reclaimed, ever since.
    pub refaults: u64,
}

impl MemoryStat {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// One sentence, when it is of neither version.
    pub fn parse(text: &str) -> Result<Self, String> {
        let field = |name: &str| {
            text.lines().find_map(|line| {
                let (key, value) = line.split_once(' ')?;
                (key == name).then(|| value.trim().parse::<u64>().ok())?
            })
        };
        let bytes = |name: &str| field(name).map(Bytes);
        // Of v1 only the sums over all levels have this name.
        if let Some(file) = bytes("total_cache") {
            return Ok(Self {
                anon: bytes("total_rss").unwrap_or_default(),
                kernel: None,
                shmem: bytes("total_shmem").unwrap_or_default(),
                file,
                refaults: field("total_workingset_refault_file").unwrap_or(0),
            });
        }
        let needed = |name: &str| {
            bytes(name).ok_or_else(|| format!("it has no '{name}', so it is no 'memory.stat'"))
        };
        // `kernel` sums up what is charged for the kernel since Linux 5.18.
        let parts = ["slab", "kernel_stack", "pagetables", "percpu", "sock"];
        let parts = parts.iter().filter_map(|part| bytes(part));
        let kernel = bytes("kernel").unwrap_or_else(|| parts.fold(Bytes(0), saturating_sum));
        Ok(Self {
            anon: needed("anon")?,
            kernel: Some(kernel),
            shmem: needed("shmem")?,
            file: needed("file")?,
            refaults: field("workingset_refault_file").unwrap_or(0),
        })
    }

    /// What it uses alone, page cache aside, as far as that is known.
    #[must_use]
    pub const fn private(&self) -> Bytes {
        let kernel = match self.kernel {
            Some(kernel) => kernel,
            None => Bytes(0),
        };
        saturating_sum(saturating_sum(self.anon, kernel), self.shmem)
    }

    /// Both together. What the kernel uses is known when it is of one of them.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let kernel = self.kernel.into_iter().chain(other.kernel);
        Self {
            anon: saturating_sum(self.anon, other.anon),
            kernel: kernel.reduce(saturating_sum),
            shmem: saturating_sum(self.shmem, other.shmem),
            file: saturating_sum(self.file, other.file),
            refaults: self.refaults.saturating_add(other.refaults),
        }
    }
}

/// Numbers from files of others do not overflow.
const fn saturating_sum(one: Bytes, other: Bytes) -> Bytes {
    Bytes(one.0.saturating_add(other.0))
}

/// One memory cgroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupMemory {
    /// Its path in the hierarchy that charges memory.
    pub path: String,
    /// Id of the container whose outermost cgroup it is.
    pub container: Option<String>,
    /// What it and those below it use.
    pub stat: MemoryStat,
}

/// A host at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostMemory {
    /// In use, page cache aside: what is neither free nor pages of files. `None` when it
    /// could not be read.
    pub used: Option<Bytes>,
    /// The part of it that is the measuring process itself.
    pub own: Bytes,
    /// Its memory cgroups but for the root, each with those below it.
    pub cgroups: Vec<CgroupMemory>,
    /// Sentences about what could not be read.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_is_all_but_page_cache() {
        let text =
            "anon 1000\nfile 8192\nkernel 200\nshmem 30\nslab 150\nworkingset_refault_file 4\n";
        let stat = MemoryStat::parse(text).expect("it is whole");
        assert_eq!(stat.private(), Bytes(1230));
        assert_eq!((stat.file, stat.refaults), (Bytes(8192), 4));
        let old = "anon 1\nfile 0\nshmem 0\nslab 5\nkernel_stack 6\npagetables 7\n";
        let old = MemoryStat::parse(old).expect("whole");
        assert_eq!(old.private(), Bytes(19));
    }

    #[test]
    fn v1_counts_all_levels_and_does_not_know_the_kernel() {
        let text = "cache 1\nrss 2\nshmem 3\ntotal_cache 10\ntotal_rss 20\ntotal_shmem 5\n\
                    total_workingset_refault_file 7\n";
        let stat = MemoryStat::parse(text).expect("it is whole");
        assert_eq!((stat.kernel, stat.private()), (None, Bytes(25)));
        assert_eq!((stat.file, stat.refaults), (Bytes(10), 7));
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let error = MemoryStat::parse("MemTotal: 1 kB\n").expect_err("it is another one");
        assert!(error.contains("no 'anon'"), "{error}");
    }
}

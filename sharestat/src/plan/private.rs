//! What a container uses besides page cache, from a copy of its cgroup's `memory.stat`
//! (cgroup v2; Documentation/admin-guide/cgroup-v2.rst).

/// The parts of one `memory.stat` that a plan needs, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryStat {
    /// Anonymous memory.
    pub anon: u64,
    /// Memory of the kernel for it: slab, stacks, page tables, and so on.
    pub kernel: u64,
    /// tmpfs and shared anonymous memory; recordings leave tmpfs out of the page cache.
    pub shmem: u64,
    /// Page cache charged to it.
    pub file: u64,
    /// Pages of files that came back soon after they were reclaimed.
    pub refaults: u64,
}

impl MemoryStat {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// One sentence, when a field is missing, as in files of cgroup v1.
    pub fn parse(text: &str) -> Result<Self, String> {
        let field = |name: &str| {
            text.lines().find_map(|line| {
                let (key, value) = line.split_once(' ')?;
                (key == name).then(|| value.trim().parse::<u64>().ok())?
            })
        };
        let needed = |name: &str| {
            field(name).ok_or_else(|| {
                format!("it has no '{name}', so it is no 'memory.stat' of cgroup v2")
            })
        };
        // `kernel` sums up what is charged for the kernel since Linux 5.18.
        let parts = ["slab", "kernel_stack", "pagetables", "percpu", "sock"];
        let kernel = field("kernel")
            .unwrap_or_else(|| parts.iter().filter_map(|part| field(part)).sum::<u64>());
        Ok(Self {
            anon: needed("anon")?,
            kernel,
            shmem: needed("shmem")?,
            file: needed("file")?,
            refaults: field("workingset_refault_file").unwrap_or(0),
        })
    }

    /// What the container uses alone, page cache aside.
    #[must_use]
    pub const fn private(&self) -> u64 {
        self.anon
            .saturating_add(self.kernel)
            .saturating_add(self.shmem)
    }

    /// Whether it reads again what was reclaimed, so that its working set is larger than
    /// what was resident: more refaults than a tenth of its page cache.
    #[must_use]
    pub const fn is_squeezed(&self) -> bool {
        self.refaults
            .saturating_mul(crate::model::units::PAGE_SIZE)
            .saturating_mul(10)
            > self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_is_all_but_page_cache() {
        let text =
            "anon 1000\nfile 8192\nkernel 200\nshmem 30\nslab 150\nworkingset_refault_file 0\n";
        let stat = MemoryStat::parse(text).expect("it is whole");
        assert_eq!(stat.private(), 1230);
        assert!(!stat.is_squeezed());
        let old = "anon 1\nfile 0\nshmem 0\nslab 5\nkernel_stack 6\npagetables 7\n";
        assert_eq!(MemoryStat::parse(old).expect("whole").private(), 19);
        let again = "anon 1\nfile 40960\nshmem 0\nworkingset_refault_file 2\n";
        assert!(MemoryStat::parse(again).expect("whole").is_squeezed());
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let v1 = "cache 1\nrss 2\nmapped_file 3\n";
        let error = MemoryStat::parse(v1).expect_err("it is of cgroup v1");
        assert!(error.contains("no 'anon'"), "{error}");
    }
}

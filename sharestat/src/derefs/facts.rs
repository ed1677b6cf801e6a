//! What of the kernel's configuration bears on `folio->mapping`, told by symbols: Debian
//! and others do not build the configuration in (`/proc/config.gz`).

use super::{document::ConfigRow, symbols::LiveSymbols};

/// An option, a function that only it builds, and what it has to do with the question.
const OPTIONS: [(&str, &str, &str); 13] = [
    ("KSM", "ksm_madvise", "tag bits, rmap walks of shared pages"),
    (
        "MIGRATION",
        "migrate_pages",
        "moves the word to a new folio",
    ),
    (
        "COMPACTION",
        "try_to_compact_pages",
        "takes folios by page frame",
    ),
    (
        "TRANSPARENT_HUGEPAGE",
        "madvise_collapse",
        "splits and collapses file folios",
    ),
    (
        "MEMCG",
        "try_to_free_mem_cgroup_pages",
        "reclaim of a control group",
    ),
    (
        "LRU_GEN",
        "lru_gen_look_around",
        "the multi-generational LRU",
    ),
    (
        "MEMORY_FAILURE",
        "soft_offline_page",
        "takes folios by page frame",
    ),
    ("HUGETLB_PAGE", "hugetlb_fault", "folios of hugetlbfs"),
    ("NUMA_BALANCING", "task_numa_fault", "migrates on faults"),
    ("DAMON", "damon_start", "walks rmap by page frame"),
    (
        "IDLE_PAGE_TRACKING",
        "page_idle_bitmap_read",
        "walks rmap by page frame",
    ),
    ("FS_DAX", "dax_iomap_rw", "mapping of device folios"),
    ("KPROBES", "register_kprobe", "'derefs trace', faults"),
];

/// The options, and whether the kernel has them.
#[must_use]
pub fn config(symbols: &LiveSymbols) -> Vec<ConfigRow> {
    OPTIONS
        .iter()
        .map(|(option, function, about)| ConfigRow {
            option: format!("CONFIG_{option}"),
            built: symbols
                .all()
                .iter()
                .any(|symbol| symbol.name.split('.').next() == Some(function)),
            about: (*about).to_owned(),
        })
        .collect()
}

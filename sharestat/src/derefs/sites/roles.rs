//! The little that BTF cannot say: which lists hold folios, which functions return
//! folios as `void *`, which arguments give a function the file at hand. Each entry has
//! its reason. Everything else follows from types.

use super::types::{TypeId, TypeTable};

/// Lists of folios or pages: structure, member that is the head or node, element, and
/// the element's member that the list runs through.
const LISTS: &[(&str, &str, &str, &str)] = &[
    // A list that a folio or page is on holds more of them.
    ("folio", "lru", "folio", "lru"),
    ("page", "lru", "page", "lru"),
    ("page", "buddy_list", "page", "lru"),
    ("page", "pcp_list", "page", "lru"),
    ("folio", "_deferred_list", "folio", "_deferred_list"),
    // Reclaim's lists (include/linux/mmzone.h).
    ("lruvec", "lists", "folio", "lru"),
    ("lru_gen_folio", "folios", "folio", "lru"),
    ("lru_gen_struct", "lists", "folio", "lru"),
    // The page allocator's lists run through the same union.
    ("free_area", "free_list", "page", "lru"),
    ("per_cpu_pages", "lists", "page", "lru"),
    // Compaction and huge pages.
    ("compact_control", "migratepages", "folio", "lru"),
    ("hstate", "hugepage_activelist", "folio", "lru"),
    ("hstate", "hugepage_freelists", "folio", "lru"),
    ("deferred_split", "split_queue", "folio", "_deferred_list"),
];

/// Functions that return a page cache entry as `void *`; see [`Tree`].
const ENTRY_OF_STATE: &[&str] = &[
    "xas_load",
    "xas_find",
    "xas_find_marked",
    "xas_find_conflict",
    "xas_next",
    "xas_prev",
    "__xas_next",
    "__xas_prev",
    "xas_store",
    "xas_start",
    "xas_descend",
];

/// As [`ENTRY_OF_STATE`], but the first argument is the tree itself.
const ENTRY_OF_TREE: &[&str] = &[
    "xa_load",
    "xa_find",
    "xa_find_after",
    "xa_store",
    "xa_erase",
];

/// As [`ENTRY_OF_STATE`], but the first argument is the mapping.
const ENTRY_OF_MAPPING: &[&str] = &[
    "filemap_get_entry",
    "mapping_get_entry",
    "__filemap_get_entry",
];

/// Which argument tells whose tree a function reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// A `struct xa_state *` comes first.
    State,
    /// A `struct xarray *` comes first.
    Array,
    /// A `struct address_space *` comes first: always folios.
    Mapping,
}

/// Whether the function `name` returns an `XArray` entry, and of what.
#[must_use]
pub(super) fn returns_entry(name: &str) -> Option<Tree> {
    if ENTRY_OF_STATE.contains(&name) {
        Some(Tree::State)
    } else if ENTRY_OF_TREE.contains(&name) {
        Some(Tree::Array)
    } else if ENTRY_OF_MAPPING.contains(&name) {
        Some(Tree::Mapping)
    } else {
        None
    }
}

/// Element type and node offset of the list at member `member` of `record`.
#[must_use]
pub(super) fn element_of_list(
    types: &TypeTable,
    record: &str,
    member: &str,
) -> Option<(TypeId, i32)> {
    let (.., element, node) = LISTS
        .iter()
        .find(|(of, head, ..)| *of == record && *head == member)?;
    let element = types.record(element)?;
    Some((element, types.offset_of(element, node)?))
}

/// Whether the member holds `XArray` entries.
#[must_use]
pub(super) fn holds_entries(record: &str, member: &str) -> bool {
    (record == "xa_node" && member == "slots") || (record == "xarray" && member == "xa_head")
}

/// Whether a `struct list_head *` parameter called `name` of `function` is a list of
/// folios linked through `lru`. The kernel names such lists consistently.
#[must_use]
pub fn is_folio_list(function: &str, name: &str) -> bool {
    /// Parameters with a name that says nothing; the callers pass lists of folios.
    const UNNAMED: &[(&str, &str)] = &[
        ("move_folios_to_lru", "list"),
        ("move_pages_to_lru", "list"),
        ("isolate_lru_folios", "dst"),
        ("isolate_lru_pages", "dst"),
        ("migrate_pages", "from"),
        ("migrate_pages_batch", "from"),
        ("migrate_pages_sync", "from"),
        ("migrate_hugetlbs", "from"),
        ("putback_movable_pages", "l"),
        ("split_huge_page_to_list", "list"),
        ("split_huge_page_to_list_to_order", "list"),
        ("__folio_split", "list"),
        ("lru_add_split_folio", "list"),
        ("lru_add_page_tail", "list"),
    ];
    (name.contains("folio") || name.contains("page") || name == "migratepages")
        || UNNAMED.contains(&(function, name))
}

/// Types that are a page by another name: a pointer used as one of these is a slab or a
/// page table, whose word at the offset of `mapping` means something else.
pub(super) const NOT_A_FOLIO: &[&str] = &[
    "slab",
    "ptdesc",
    "zpdesc",
    "net_iov",
    "netmem_desc",
    "encoded_page",
];

/// Arguments that put the file, or a way to it, into a function's hands.
const DIRECT: &[&str] = &[
    "file",
    "kiocb",
    "vm_area_struct",
    "vm_fault",
    "address_space",
    "inode",
    "readahead_control",
];

/// Which of its arguments gives the function `name` a file at hand.
#[must_use]
pub(super) fn direct_argument<'a>(types: &'a TypeTable, name: &str) -> Option<&'a str> {
    types
        .prototype(name)?
        .parameters
        .iter()
        .filter_map(|parameter| types.name(types.pointee(parameter.of)?))
        .find(|record| DIRECT.contains(record))
}

/// Whether the function `name` only hands out the mapping of the folio or page that it is
/// given, as `folio_mapping` does: what matters is then who calls it.
#[must_use]
pub fn hands_out_mapping(types: &TypeTable, name: &str) -> bool {
    let record = |id| types.pointee(id).and_then(|to| types.name(to));
    types.prototype(name).is_some_and(|prototype| {
        record(prototype.returns) == Some("address_space")
            && matches!(&*prototype.parameters, [only] if matches!(record(only.of), Some("folio" | "page")))
    })
}

/// Whether the function `name`, whose arguments do not say so, walks page cache trees:
/// these take only the cursor (`mm/filemap.c`, `mm/memfd.c`).
#[must_use]
pub(super) fn walks_page_cache(name: &str) -> bool {
    matches!(
        name,
        "find_get_entry" | "memfd_tag_pins" | "memfd_wait_for_pins" | "xas_next_entry"
    )
}

/// Whether a function with a pointer to the structure `record` in its arguments works on
/// page cache, so that a tree it walks is one of folios.
#[must_use]
pub(super) fn belongs_to_page_cache(record: &str) -> bool {
    DIRECT.contains(&record) || matches!(record, "folio" | "page" | "folio_batch" | "pagevec")
}

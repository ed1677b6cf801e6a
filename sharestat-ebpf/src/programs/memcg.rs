//! Which memory cgroup a folio is charged to: from `memcg_data` to the number of the
//! cgroup's directory. Read while the folio is in the page cache, so that its charge keeps
//! the structures alive; their addresses alone would be used again.

use sharestat_ebpf::records::memcg_id;

use super::{access, globals::layout};

/// What a layout offset says that the kernel does not have.
const ABSENT: u64 = u64::MAX;

/// `kernfs_node.id` of the cgroup behind `memcg_data`. A removed cgroup keeps its node
/// until its last charge is gone (`css_free_rwork_fn`, kernel/cgroup/cgroup.c).
#[inline(always)]
pub(crate) fn id_of(memcg_data: u64) -> u64 {
    if layout!(folio_memcg) == ABSENT || layout!(memcg_cgroup) == ABSENT {
        return memcg_id::UNKNOWN;
    }
    if memcg_data == 0 {
        return memcg_id::UNCHARGED;
    }
    let of_object = layout!(memcg_of_object);
    let memcg = if of_object == ABSENT {
        Some(memcg_data)
    } else {
        access::read_pointer(memcg_data + of_object)
    };
    memcg
        .and_then(|memcg| access::read_pointer(memcg + layout!(memcg_cgroup)))
        .and_then(|cgroup| access::read_pointer(cgroup + layout!(cgroup_node)))
        .and_then(|node| access::read::<u64>(node + layout!(node_id)))
        .unwrap_or(memcg_id::UNKNOWN)
}

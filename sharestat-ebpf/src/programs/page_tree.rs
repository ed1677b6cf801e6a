//! Looks a page up in `mapping->i_pages` without the kernel's help.
//!
//! Test runs hold the RCU read lock, under which nodes stay readable; every result
//! is verified against the folio itself, as `filemap_get_entry` does.

use super::{access, globals::layout};

/// Levels of a tree of 64-bit indices with six bits a level.
const MAX_LEVELS: u32 = 11;

/// Address of the folio at `index` of `mapping`, or 0: absent, or a shadow entry.
///
/// Entry encoding: include/linux/xarray.h (6.1 to 7.3): low bits `10` above 4096 mark a
/// node, low bits `10` below mark a sibling slot, low bit `1` a value (shadow).
///
/// A global function, which the verifier walks once; a static one it would walk again
/// for every state in which a caller can be.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn find_in_page_tree(mapping: u64, index: u64) -> u64 {
    let Some(mut entry) = access::read::<u64>(mapping + layout!(mapping_tree)) else {
        return 0;
    };
    let mut top = true;
    let mut level = 0;
    while level < MAX_LEVELS {
        if entry & 3 != 2 {
            break;
        }
        let node = entry - 2;
        let Some(shift) = access::read::<u8>(node + layout!(tree_shift)) else {
            return 0;
        };
        let shift = u64::from(shift) & 63;
        let mask = layout!(tree_slot_mask);
        if top && (index >> shift) > mask {
            return 0;
        }
        top = false;
        let slots = node + layout!(tree_slots);
        let slot = (index >> shift) & mask;
        let Some(mut next) = access::read::<u64>(slots + slot * 8) else {
            return 0;
        };
        if next & 3 == 2 && next < 4096 {
            let Some(canonical) = access::read::<u64>(slots + ((next >> 2) & mask) * 8) else {
                return 0;
            };
            next = canonical;
        }
        entry = next;
        level += 1;
    }
    if top && index != 0 {
        return 0;
    }
    if entry & 3 == 0 && access::is_kernel(entry) {
        entry
    } else {
        0
    }
}

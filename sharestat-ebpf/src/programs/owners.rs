//! Whose pages a pseudo inode of EROFS keeps: with `inode_share` (Linux 7.2) the pages of
//! equal files lie on an inode of the filesystem type `pseudo_erofs`, and the files are in
//! its `ishare_list` (fs/erofs/ishare.c).

use sharestat_ebpf::records::{Identity, OWNERS, OWNERS_COUNTED, OwnerRecord};

use super::{access, contents::repeat, globals::layout, inode::Inode};

/// The beginning of `pseudo_erofs`.
const PSEUDO: u64 = u64::from_ne_bytes(*b"pseudo_e");

/// Whether a filesystem type of this name keeps pages of files that are elsewhere.
#[inline(always)]
pub(crate) fn keeps_pages_of_others(fs_type_name: u64) -> bool {
    access::read::<u64>(fs_type_name) == Some(PSEUDO)
}

#[repr(C)]
struct List {
    identity: *mut Identity,
    /// The inode that keeps the pages.
    keeper: u64,
    /// Where the list begins and ends.
    head: u64,
    /// The link that is next.
    at: u64,
    counted: u64,
}

/// The list is not locked: a file must name the keeper as its own, or the walk ends.
#[inline(never)]
unsafe extern "C" fn take(number: u64, list: *mut List) -> i64 {
    // SAFETY: `repeat` hands over the context of `list`.
    let list = unsafe { &mut *list };
    if list.at == list.head {
        return 1;
    }
    let owner = list.at.wrapping_sub(layout!(erofs_share_list));
    let keeper = access::read_pointer(owner + layout!(erofs_shared_entry))
        .and_then(|entry| access::read_pointer(entry + layout!(erofs_entry_inode)));
    if keeper != Some(list.keeper) {
        return 1;
    }
    let Some(inode) = Inode::read(owner + layout!(erofs_vfs_inode)) else {
        return 1;
    };
    // By the number of the round, which the verifier does not follow: a counter of ours
    // would be another state for it in each round.
    if number < OWNERS as u64 {
        let slot = access::masked::<{ OWNERS as i32 - 1 }>(number) as usize;
        // SAFETY: `slot` is masked to the length of the array.
        unsafe {
            (&raw mut (*list.identity).owners)
                .cast::<OwnerRecord>()
                .add(slot)
                .write(OwnerRecord {
                    inode: inode.address,
                    ino: inode.ino,
                    dev: inode.dev,
                    generation: inode.generation,
                });
        }
    }
    list.counted = number + 1;
    let Some(next) = access::read_pointer(list.at) else {
        return 1;
    };
    list.at = next;
    0
}

/// Lists the files whose pages `keeper` keeps; how many there are.
#[inline(always)]
pub(crate) fn list(identity: &mut Identity, keeper: u64) -> u32 {
    if layout!(erofs_known) == 0 {
        return 0;
    }
    let head = keeper.wrapping_sub(layout!(erofs_vfs_inode)) + layout!(erofs_share_list);
    let Some(first) = access::read_pointer(head) else {
        return 0;
    };
    let mut list = List {
        identity,
        keeper,
        head,
        at: first,
        counted: 0,
    };
    repeat(OWNERS_COUNTED, take, &mut list);
    list.counted as u32
}

const _: () = assert!(OWNERS.is_power_of_two());

//! Tells who inodes are, on request, once each.
//!
//! Run as test run with the number of slots in use; works in place in `IDENTITY_WORK`.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    helpers::generated::bpf_probe_read_kernel_str,
    macros::{map, raw_tracepoint},
    maps::Array,
    programs::RawTracePointContext,
};
use core::ffi::c_void;
use sharestat_ebpf::{
    counters::Counter,
    records::{IDENTITY_BATCH, Identity, PATH_BYTES, PATH_COMPONENTS, path_state},
};

use super::{access, contents::repeat, counters::count, globals::layout, inode::Inode, owners};

#[map]
static IDENTITY_WORK: Array<Identity> =
    Array::with_max_entries(IDENTITY_BATCH as u32, BPF_F_MMAPABLE);

/// `NAME_MAX` and its terminator: longest name of one path component.
const NAME_BYTES: usize = 256;

#[repr(C)]
struct Path {
    identity: *mut Identity,
    dentry: u64,
    used: u64,
    state: u64,
}

#[inline(never)]
unsafe extern "C" fn climb(_number: u64, path: *mut Path) -> i64 {
    // SAFETY: `repeat` hands over the context of `describe`.
    let path = unsafe { &mut *path };
    let Some(parent) = access::read_pointer(path.dentry + layout!(dentry_parent)) else {
        return 1;
    };
    if parent == path.dentry {
        path.state = u64::from(path_state::COMPLETE);
        return 1;
    }
    let Some(name) = access::read_pointer(path.dentry + layout!(dentry_name)) else {
        return 1;
    };
    let used = path.used as usize;
    if used > PATH_BYTES - NAME_BYTES {
        return 1;
    }
    // SAFETY: `used` leaves room for NAME_BYTES inside the path.
    let length = unsafe {
        let to = (&raw mut (*path.identity).path)
            .cast::<u8>()
            .add(used & (PATH_BYTES - 1));
        bpf_probe_read_kernel_str(
            to.cast::<c_void>(),
            NAME_BYTES as u32,
            name as *const c_void,
        )
    };
    if length <= 0 {
        return 1;
    }
    path.used += length as u64 & (2 * NAME_BYTES as u64 - 1);
    path.dentry = parent;
    0
}

#[inline(always)]
fn copy_name(to: *mut [u8; 32], from: u64) {
    // SAFETY: `to` is a field of a map value.
    unsafe {
        bpf_probe_read_kernel_str(to.cast::<c_void>(), 32, from as *const c_void);
    }
}

/// Names an inode whose dentry is its own parent: the root of a filesystem, called `/`
/// (`d_make_root`), or a file in memory with a name of its own (`alloc_file_pseudo`).
#[inline(always)]
fn own_name(slot: &mut Identity, dentry: u64) -> u8 {
    let Some(name) = access::read_pointer(dentry + layout!(dentry_name)) else {
        return path_state::COMPLETE;
    };
    if access::read::<u8>(name) == Some(b'/') {
        return path_state::COMPLETE;
    }
    // SAFETY: the first bytes of a field of a map value.
    let length = unsafe {
        let to = (&raw mut slot.path).cast::<c_void>();
        bpf_probe_read_kernel_str(to, NAME_BYTES as u32, name as *const c_void)
    };
    if length <= 1 {
        return path_state::COMPLETE;
    }
    slot.path_bytes = length as u32;
    path_state::DETACHED
}

#[inline(always)]
fn same(inode: &Inode, identity: &Identity) -> bool {
    inode.ino == identity.ino
        && inode.dev == identity.dev
        && inode.generation == identity.generation
}

#[inline(never)]
unsafe extern "C" fn describe_next(number: u64, _context: *mut u64) -> i64 {
    describe(number);
    0
}

/// Describes the inode that slot `number` asks about.
///
/// A global function, for the verifier's sake: see `report_folio`.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn describe(number: u64) -> u64 {
    let Some(identity) = IDENTITY_WORK.get_ptr_mut(number as u32) else {
        return 0;
    };
    // SAFETY: a map value; user space waits for the test run to end.
    let slot = unsafe { &mut *identity };
    slot.valid = 0;
    slot.path_state = path_state::NONE;
    slot.path_bytes = 0;
    slot.deleted = 0;
    slot.shared = 0;
    slot.owners_counted = 0;
    let Some(inode) = Inode::read(slot.inode) else {
        return 0;
    };
    if !same(&inode, slot) {
        return 0;
    }
    slot.subvolume = inode.subvolume();
    slot.magic = inode.magic;
    slot.superblock = inode.superblock;
    slot.size = inode.size();
    slot.mapped_writably = u8::from(inode.is_mapped_writably());
    slot.rdev = access::read(inode.address + layout!(inode_rdev)).unwrap_or(0);
    slot.nlink = access::read(inode.address + layout!(inode_links)).unwrap_or(0);
    slot.mode = access::read(inode.address + layout!(inode_mode)).unwrap_or(0);
    copy_name(
        &raw mut slot.fs_id,
        inode.superblock + layout!(superblock_id),
    );
    if let Some(name) = access::read_pointer(inode.superblock + layout!(superblock_type))
        .and_then(|kind| access::read_pointer(kind + layout!(fs_type_name)))
    {
        copy_name(&raw mut slot.fs_type, name);
        if owners::keeps_pages_of_others(name) {
            slot.shared = 1;
            slot.owners_counted = owners::list(slot, inode.address);
        }
    }
    if let Some(link) = access::read_pointer(inode.address + layout!(inode_dentry)) {
        let dentry = link - layout!(dentry_alias);
        let hashed = access::read::<u64>(dentry + layout!(dentry_hashed)).unwrap_or(0) != 0;
        let parent = access::read::<u64>(dentry + layout!(dentry_parent)).unwrap_or(0);
        let mut path = Path {
            identity,
            dentry,
            used: 0,
            state: u64::from(path_state::CUT),
        };
        repeat(PATH_COMPONENTS as u32, climb, &mut path);
        slot.path_bytes = path.used as u32;
        slot.path_state = if parent == dentry {
            own_name(slot, dentry)
        } else {
            slot.deleted = u8::from(!hashed);
            path.state as u8
        };
    }
    // The inode may have been freed meanwhile; then all of the above is noise.
    if Inode::read(slot.inode).is_some_and(|after| same(&after, slot)) {
        slot.valid = 1;
        count(Counter::InodesIdentified, 1);
    }
    0
}

/// Argument: number of slots to describe.
#[raw_tracepoint(tracepoint = "sys_enter")]
pub(crate) fn identify(ctx: RawTracePointContext) -> i32 {
    let slots: u64 = ctx.arg(0);
    let slots = if slots > IDENTITY_BATCH as u64 {
        IDENTITY_BATCH as u64
    } else {
        slots
    };
    let mut unused = 0;
    repeat(slots as u32, describe_next, &mut unused);
    0
}

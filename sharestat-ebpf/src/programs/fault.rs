//! Runs where a page is mapped for a page fault (kprobe on the function that sets the page
//! table entry), and counts whether the file of the vma is the file of the folio: the
//! assumption `vma->vm_file->f_mapping == folio->mapping` itself.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, generated::bpf_probe_read_kernel_str},
    macros::{kprobe, map},
    maps::{Array, PerCpuHashMap},
    programs::ProbeContext,
};
use core::ffi::c_void;
use sharestat_ebpf::records::{FAULT_KINDS, FaultKey, fault_flags};

use super::{access, folio::Folio, globals::layout, inode::Inode};

/// The process whose faults count; 0 for all.
#[map]
static FAULT_PROCESS: Array<u32> = Array::with_max_entries(1, 0);

#[map]
static FAULTS: PerCpuHashMap<FaultKey, u64> = PerCpuHashMap::with_max_entries(FAULT_KINDS, 0);

/// The folio that `page` is of: a tail points to its head, with bit 0 set, or from 7.2 on
/// holds a mask with bit 0 set (`compound_info`, include/linux/page-flags.h).
#[inline(always)]
fn head_of(page: u64) -> u64 {
    let Some(word) = access::read::<u64>(page + 8) else {
        return page;
    };
    if word & 1 == 0 {
        page
    } else if access::is_kernel(word) && word & 0x3f == 1 {
        word - 1
    } else {
        page & word
    }
}

/// Writes the name of the filesystem with this superblock to `key`.
#[inline(always)]
fn name_filesystem(key: &mut FaultKey, superblock: u64) {
    if let Some(name) = access::read_pointer(superblock + layout!(superblock_type))
        .and_then(|kind| access::read_pointer(kind + layout!(fs_type_name)))
    {
        let to = (&raw mut key.filesystem).cast::<c_void>();
        // SAFETY: `to` is a field of a value on the stack, of the size given.
        unsafe { bpf_probe_read_kernel_str(to, 16, name as *const c_void) };
    }
}

/// `set_pte_range(vmf, folio, …)`, in 6.1 `do_set_pte(vmf, page, …)` (mm/memory.c).
#[kprobe]
pub(crate) fn fault_hit(ctx: ProbeContext) -> u32 {
    let process = FAULT_PROCESS.get(0).copied().unwrap_or(0);
    if process != 0 && process != (bpf_get_current_pid_tgid() >> 32) as u32 {
        return 0;
    }
    let (Some(fault), Some(page)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1)) else {
        return 0;
    };
    let file = access::read_pointer(fault + layout!(fault_vma))
        .and_then(|vma| access::read_pointer(vma + layout!(vma_file)));
    let (Some(file), Some(folio)) = (file, Folio::read(head_of(page))) else {
        return 0;
    };
    let mut key = FaultKey {
        filesystem: [0; 16],
        flags: 0,
        padding: 0,
    };
    let mapping = folio.mapping().unwrap_or(0);
    let inode = Inode::of_mapping(mapping).filter(|_| mapping != 0);
    if let Some(inode) = inode {
        if access::read::<u64>(file + layout!(file_mapping)) == Some(mapping) {
            key.flags |= fault_flags::SAME_MAPPING;
        }
        if access::read::<u64>(file + layout!(file_inode)) == Some(inode.address) {
            key.flags |= fault_flags::SAME_INODE;
        }
        name_filesystem(&mut key, inode.superblock);
    } else {
        key.flags = fault_flags::NO_FILE;
        let own = access::read_pointer(file + layout!(file_inode)).and_then(Inode::read);
        if let Some(own) = own {
            name_filesystem(&mut key, own.superblock);
        }
    }
    if let Some(count) = FAULTS.get_ptr_mut(key) {
        // SAFETY: a map value of this CPU.
        unsafe { *count += 1 };
    } else {
        // A table that is full loses new kinds; there are never so many filesystems.
        let _ = FAULTS.insert(key, 1, 0);
    }
    0
}

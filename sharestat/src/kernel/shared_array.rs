//! A BPF array whose slots user space reads and writes in place, without system calls.

use std::{marker::PhantomData, os::fd::AsFd as _};

use aya::{Ebpf, maps::Map};
use memmap2::{MmapOptions, MmapRaw};

use super::error::Error;

/// Types that BPF programs and user space exchange in mapped memory.
///
/// # Safety
/// The type must be `repr(C)`, the same in the BPF object, and valid for every bit pattern.
pub(super) unsafe trait Shared: Copy {}

// SAFETY: integers and arrays of integers with explicit padding only, sizes asserted
// in `sharestat_ebpf::records`.
unsafe impl Shared for sharestat_ebpf::records::HashBatch {}
// SAFETY: as above.
unsafe impl Shared for sharestat_ebpf::records::FrameBatch {}
// SAFETY: as above.
unsafe impl Shared for sharestat_ebpf::records::Identity {}
// SAFETY: as above.
unsafe impl Shared for sharestat_ebpf::records::Calibration {}
// SAFETY: bytes.
unsafe impl Shared for [u8; sharestat_ebpf::records::TEXT_BYTES] {}

/// The slots of one mapped array.
pub(super) struct SharedArray<T> {
    memory: MmapRaw,
    slots: usize,
    kind: PhantomData<T>,
}

impl<T: Shared> SharedArray<T> {
    /// Maps the array `name` with `slots` entries.
    pub(super) fn map(ebpf: &Ebpf, name: &'static str, slots: usize) -> Result<Self, Error> {
        let map = ebpf.map(name).ok_or(Error::Missing { name })?;
        let Map::Array(data) = map else {
            return Err(Error::Missing { name });
        };
        let memory = MmapOptions::new()
            .len(slots * size_of::<T>())
            .map_raw(&data.fd().as_fd())
            .map_err(|source| Error::Map { map: name, source })?;
        Ok(Self {
            memory,
            slots,
            kind: PhantomData,
        })
    }

    fn pointer(&self, slot: usize) -> *mut T {
        assert!(slot < self.slots, "slot {slot} of {}", self.slots);
        // SAFETY: array values of a size that is a multiple of 8 lie back to back
        // (`round_up(value_size, 8)`, kernel/bpf/arraymap.c), and `slot` is in range.
        unsafe { self.memory.as_mut_ptr().cast::<T>().add(slot) }
    }

    /// Lets `look` see a slot.
    ///
    /// Only while no program works on it: programs run synchronously, in test runs of
    /// the thread that owns the slot.
    pub(super) fn read<R>(&self, slot: usize, look: impl FnOnce(&T) -> R) -> R {
        // SAFETY: in range, aligned to a page start plus a multiple of 8, any bit
        // pattern is valid, and nobody writes while `look` runs (see above).
        look(unsafe { &*self.pointer(slot) })
    }

    /// Lets `change` write a slot; the same rule holds.
    pub(super) fn write<R>(&self, slot: usize, change: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: as in `read`; slots belong to one thread each, which is the caller.
        change(unsafe { &mut *self.pointer(slot) })
    }
}

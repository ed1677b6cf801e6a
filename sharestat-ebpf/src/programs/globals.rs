//! Constants that user space freezes into the object before loading.

use aya_ebpf::Global;
use sharestat_ebpf::layout::KernelLayout;

#[unsafe(no_mangle)]
pub(crate) static LAYOUT: KernelLayout = KernelLayout::ZERO;

/// Address of `struct page` of frame 0.
#[unsafe(no_mangle)]
pub(crate) static MEMORY_MAP_BASE: Global<u64> = Global::new(0);

/// Address at which frame 0 is mapped.
#[unsafe(no_mangle)]
pub(crate) static DIRECT_MAP_BASE: Global<u64> = Global::new(0);

/// Seed of the content hash.
#[unsafe(no_mangle)]
pub(crate) static HASH_SEED: Global<u64> = Global::new(0);

/// Pages per second and CPU that the removal hooks may hash; 0 switches it off.
#[unsafe(no_mangle)]
pub(crate) static REMOVAL_PAGES_PER_SECOND: Global<u64> = Global::new(0);

/// Wake the collector when this many bytes wait in the ring.
#[unsafe(no_mangle)]
pub(crate) static RING_WAKE_BYTES: Global<u64> = Global::new(0);

/// The value of one layout field; the verifier sees a constant.
macro_rules! layout {
    ($field:ident) => {
        // SAFETY: LAYOUT is a live static; volatile because user space overrides its
        // bytes after compilation.
        unsafe { core::ptr::read_volatile(&raw const crate::programs::globals::LAYOUT.$field) }
    };
}
pub(crate) use layout;

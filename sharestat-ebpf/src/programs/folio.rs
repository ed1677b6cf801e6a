//! A copy of the first page structure of a folio, and what it says.

use super::{
    access,
    globals::{DIRECT_MAP_BASE, MEMORY_MAP_BASE, layout},
};

/// `PAGE_MAPPING_FLAGS` / `FOLIO_MAPPING_FLAGS` (include/linux/page-flags.h, 6.1 to 7.3):
/// the low bits of `mapping` that mark anonymous, movable and KSM pages. A macro, so not in BTF.
const MAPPING_TAGS: u64 = 3;

/// `TAIL_MAPPING` (include/linux/poison.h) is `0xdead…`: never a kernel address below.
const WORDS: usize = 8;

/// `GUP_PIN_COUNTING_BIAS` (include/linux/mm.h): a pin of a small folio adds this much
/// to its reference count.
const PIN_BIAS: u32 = 1024;

/// Largest order the page cache makes: one xarray entry spans at most two levels.
const MAX_ORDER: u32 = 11;

/// A snapshot of `struct folio`, first 64 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Folio {
    words: [u64; WORDS],
}

impl Folio {
    #[inline(always)]
    pub(crate) fn read(address: u64) -> Option<Self> {
        access::read::<[u64; WORDS]>(address).map(|words| Self { words })
    }

    /// Reads again, in place; false on a fault.
    #[inline(always)]
    pub(crate) fn load(&mut self, address: u64) -> bool {
        let to = (&raw mut self.words).cast();
        // SAFETY: as many bytes as there are.
        unsafe { access::copy(to, size_of::<[u64; WORDS]>() as u32, address) }
    }

    #[inline(always)]
    fn word(&self, offset: u64) -> u64 {
        self.words[(offset >> 3) as usize & (WORDS - 1)]
    }

    #[inline(always)]
    fn half(&self, offset: u64) -> u32 {
        (self.word(offset) >> ((offset & 4) * 8)) as u32
    }

    #[inline(always)]
    pub(crate) fn has(&self, mask: u64) -> bool {
        self.word(layout!(folio_flags)) & mask != 0
    }

    /// The mapping, when it is one: not anonymous, not movable, not null.
    #[inline(always)]
    pub(crate) fn mapping(&self) -> Option<u64> {
        let mapping = self.word(layout!(folio_mapping));
        if mapping & MAPPING_TAGS == 0 && access::is_kernel(mapping) {
            Some(mapping)
        } else {
            None
        }
    }

    /// The word as it is, tag bits and all.
    #[inline(always)]
    pub(crate) fn raw_mapping(&self) -> u64 {
        self.word(layout!(folio_mapping))
    }

    #[inline(always)]
    pub(crate) fn index(&self) -> u64 {
        self.word(layout!(folio_index))
    }

    /// `memcg_data` without its two flag bits (`OBJEXTS_FLAGS_MASK`, include/linux/memcontrol.h;
    /// three bits from 6.14 on, pointers are 8-aligned anyway).
    #[inline(always)]
    pub(crate) fn memcg_data(&self) -> u64 {
        let offset = layout!(folio_memcg);
        if offset == u64::MAX {
            0
        } else {
            self.word(offset) & !7
        }
    }

    #[inline(always)]
    pub(crate) fn references(&self) -> u32 {
        self.half(layout!(folio_refcount))
    }

    /// Mapped by someone; for large folios this is the head's own count only.
    #[inline(always)]
    pub(crate) fn is_mapped(&self) -> bool {
        let count = self.half(layout!(folio_mapcount));
        count != u32::MAX
    }

    /// A page that is no page cache although its `mapping` word is set: slab, page
    /// tables, offline and so on.
    #[inline(always)]
    pub(crate) fn is_typed(&self) -> bool {
        let first = layout!(page_type_first) as u32;
        let kind = self.half(layout!(folio_mapcount)) >> 24;
        (first != 0 && kind >= first && kind < layout!(page_type_end) as u32)
            || self.has(layout!(flag_slab))
    }

    /// In the swap cache: `mapping` is then the swap space.
    #[inline(always)]
    pub(crate) fn is_swap_cache(&self) -> bool {
        self.has(layout!(flag_swapcache)) && self.has(layout!(flag_swapbacked))
    }

    /// Pinned for long-term DMA: the content may change without any trace.
    ///
    /// `folio_maybe_dma_pinned` (include/linux/mm.h) takes any 1024 references of a small
    /// folio for a pin; those that its mappings hold are none (`_mapcount` starts at -1).
    #[inline(always)]
    pub(crate) fn is_pinned(&self, address: u64) -> bool {
        if self.has(layout!(flag_head)) {
            access::read::<u32>(address + layout!(folio_pincount)).is_some_and(|pins| pins != 0)
        } else {
            let mappings = self.half(layout!(folio_mapcount)).wrapping_add(1);
            let others = self.references().wrapping_sub(mappings);
            // Below zero when a mapping came between the two counts: no pin.
            others >= PIN_BIAS && i32::try_from(others).is_ok()
        }
    }

    /// Order of the folio at `address`; 0 for a single page.
    #[inline(always)]
    pub(crate) fn order(&self, address: u64) -> u32 {
        if !self.has(layout!(flag_head)) {
            return 0;
        }
        let order = access::read::<u8>(address + layout!(folio_order)).map_or(0, u32::from);
        if order > MAX_ORDER { MAX_ORDER } else { order }
    }
}

/// Page frame number of the page structure at `address`.
#[inline(always)]
pub(crate) fn frame_of(address: u64) -> u64 {
    address.wrapping_sub(MEMORY_MAP_BASE.load()) >> (layout!(page_struct_shift) & 63)
}

/// Address of the page structure of `frame`.
#[inline(always)]
pub(crate) fn structure_of(frame: u64) -> u64 {
    MEMORY_MAP_BASE
        .load()
        .wrapping_add(frame << (layout!(page_struct_shift) & 63))
}

/// Address in the direct map of the contents of `frame`.
#[inline(always)]
pub(crate) fn contents_of(frame: u64) -> u64 {
    DIRECT_MAP_BASE.load().wrapping_add(frame << 12)
}

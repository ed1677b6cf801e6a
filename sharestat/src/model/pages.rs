//! Where the index keeps its pages: per inode and window of 2048 pages, rank-compressed
//! chunks of 64 pages with 13 bytes for each resident page and nothing for the others.
//!
//! One ordered map holds the windows of all inodes: a small file costs one entry, a
//! sparse one no more than what is resident, whatever order its pages arrive in.

use std::collections::BTreeMap;

use super::{entry::Entry, inode::InodeId};

const CHUNK_BITS: u32 = 6;
const CHUNK_PAGES: u64 = 1 << CHUNK_BITS;
const WINDOW_BITS: u32 = 5;
const WINDOW_CHUNKS: u32 = 1 << WINDOW_BITS;

/// What becomes of a visited page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    Drop,
}

/// 64 pages: which are resident, and the entries of those in order.
#[derive(Clone, Default)]
struct Chunk {
    present: u64,
    entries: Vec<Entry>,
}

impl Chunk {
    fn rank(&self, page: u32) -> usize {
        (self.present & ((1 << page) - 1)).count_ones() as usize
    }

    fn get_mut(&mut self, page: u32) -> Option<&mut Entry> {
        if self.present & (1 << page) == 0 {
            return None;
        }
        let rank = self.rank(page);
        self.entries.get_mut(rank)
    }

    /// Enters the pages of `missing`, which are not there yet.
    fn enter(&mut self, missing: u64, absent: Entry) {
        let behind_all = self.present >> missing.trailing_zeros() == 0;
        if !behind_all {
            bits(missing).for_each(|page| self.insert(page, absent));
            return;
        }
        let count = missing.count_ones() as usize;
        if self.entries.is_empty() || count > LONGEST_STEP {
            self.entries.reserve_exact(count);
        }
        for _ in 0..count {
            grow(&mut self.entries);
            self.entries.push(absent);
        }
        self.present |= missing;
    }

    fn insert(&mut self, page: u32, entry: Entry) {
        let rank = self.rank(page);
        grow(&mut self.entries);
        self.entries.insert(rank, entry);
        self.present |= 1 << page;
    }

    /// Visits the pages of `mask` in order and drops those that `visit` says.
    fn visit(&mut self, mask: u64, mut visit: impl FnMut(u64, &mut Entry) -> Fate) {
        let mut dropped = 0_u64;
        let first = self.rank(mask.trailing_zeros());
        for (rank, page) in (first..).zip(bits(self.present & mask)) {
            if visit(u64::from(page), &mut self.entries[rank]) == Fate::Drop {
                dropped |= 1 << page;
            }
        }
        if dropped != 0 {
            let mut pages = bits(self.present);
            self.entries
                .retain(|_| pages.next().is_some_and(|page| dropped & (1 << page) == 0));
            self.present &= !dropped;
            if self.entries.len() * 2 < self.entries.capacity() {
                self.entries.shrink_to(self.entries.len() * 5 / 4);
            }
        }
    }
}

/// 32 chunks: which have resident pages, and those in order.
#[derive(Clone, Default)]
struct Window {
    present: u32,
    chunks: Vec<Chunk>,
}

impl Window {
    fn rank(&self, chunk: u32) -> usize {
        (self.present & ((1 << chunk) - 1)).count_ones() as usize
    }

    fn get_mut(&mut self, chunk: u32) -> Option<&mut Chunk> {
        if self.present & (1 << chunk) == 0 {
            return None;
        }
        let rank = self.rank(chunk);
        self.chunks.get_mut(rank)
    }

    fn get_or_insert(&mut self, chunk: u32) -> &mut Chunk {
        let rank = self.rank(chunk);
        if self.present & (1 << chunk) == 0 {
            grow(&mut self.chunks);
            self.chunks.insert(rank, Chunk::default());
            self.present |= 1 << chunk;
        }
        &mut self.chunks[rank]
    }

    /// Visits the pages of the run `first..=last` that lie in this window, which is the
    /// `number`th; true when nothing is left in it.
    fn visit(
        &mut self,
        number: u64,
        first: u64,
        last: u64,
        visit: &mut impl FnMut(u64, &mut Entry) -> Fate,
    ) -> bool {
        let base = number << WINDOW_BITS;
        let end = u64::from(WINDOW_CHUNKS - 1);
        let low = (first >> CHUNK_BITS).saturating_sub(base).min(end);
        let high = (last >> CHUNK_BITS).saturating_sub(base).min(end);
        let mask = (u64::MAX << low) & (u64::MAX >> (u64::from(u64::BITS - 1) - high));
        let wanted = u64::from(self.present) & mask;
        let from = self.rank(wanted.trailing_zeros().min(WINDOW_CHUNKS - 1));
        let mut emptied = false;
        for (chunk, position) in self.chunks.iter_mut().skip(from).zip(bits(wanted)) {
            let number = base + u64::from(position);
            let base = number << CHUNK_BITS;
            let mask = mask_in_chunk(number, first, last);
            chunk.visit(mask, |page, entry| visit(base + page, entry));
            emptied |= chunk.entries.is_empty();
        }
        if emptied {
            self.drop_empty_chunks();
        }
        self.chunks.is_empty()
    }

    fn drop_empty_chunks(&mut self) {
        let mut chunks = bits(u64::from(self.present));
        let mut present = 0;
        self.chunks.retain(|chunk| {
            let number = chunks.next().unwrap_or(0);
            let keep = !chunk.entries.is_empty();
            present |= u32::from(keep) << number;
            keep
        });
        self.present = present;
    }
}

/// Most entries that are made room for at once without being asked for.
const LONGEST_STEP: usize = 16;

/// Makes room for one more by small steps that end exactly at a full chunk or window:
/// the default growth would reserve four times what most small files need.
fn grow<T>(values: &mut Vec<T>) {
    if values.len() == values.capacity() {
        let step = (values.len() / 2)
            .next_power_of_two()
            .clamp(1, LONGEST_STEP);
        values.reserve_exact(step);
    }
}

/// The positions of the set bits, lowest first.
fn bits(mut mask: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (bit < u64::BITS).then_some(bit)
    })
}

/// The part of the run `first..=last` that lies in chunk `number`, as a mask.
fn mask_in_chunk(number: u64, first: u64, last: u64) -> u64 {
    let base = number << CHUNK_BITS;
    let low = first.saturating_sub(base).min(CHUNK_PAGES - 1);
    let high = (last - base).min(CHUNK_PAGES - 1);
    (u64::MAX << low) & (u64::MAX >> (CHUNK_PAGES - 1 - high))
}

const fn window_of(page: u64) -> u64 {
    page >> (CHUNK_BITS + WINDOW_BITS)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "masked to the bits of a position"
)]
const fn chunk_of(page: u64) -> u32 {
    (page >> CHUNK_BITS) as u32 & (WINDOW_CHUNKS - 1)
}

const fn page_in_chunk(page: u64) -> u32 {
    (page & (CHUNK_PAGES - 1)) as u32
}

/// All resident pages, by inode and page index.
#[derive(Clone, Default)]
pub(super) struct PageMap {
    windows: BTreeMap<(InodeId, u64), Window>,
}

impl PageMap {
    pub(super) fn get_mut(&mut self, inode: InodeId, page: u64) -> Option<&mut Entry> {
        self.windows
            .get_mut(&(inode, window_of(page)))?
            .get_mut(chunk_of(page))?
            .get_mut(page_in_chunk(page))
    }

    /// Enters a page that is not there yet, or hands out the one that is.
    pub(super) fn get_or_insert(
        &mut self,
        inode: InodeId,
        page: u64,
        absent: impl FnOnce() -> Entry,
    ) -> &mut Entry {
        let chunk = self
            .windows
            .entry((inode, window_of(page)))
            .or_default()
            .get_or_insert(chunk_of(page));
        let position = page_in_chunk(page);
        if chunk.present & (1 << position) == 0 {
            chunk.insert(position, absent());
        }
        let rank = chunk.rank(position);
        &mut chunk.entries[rank]
    }

    /// Visits every page of the run `first..=last`; those that are absent are entered
    /// as `absent` and reported with `true`.
    pub(super) fn fill(
        &mut self,
        inode: InodeId,
        first: u64,
        last: u64,
        absent: Entry,
        mut visit: impl FnMut(u64, &mut Entry, bool),
    ) {
        for number in first >> CHUNK_BITS..=last >> CHUNK_BITS {
            let base = number << CHUNK_BITS;
            let mask = mask_in_chunk(number, first, last);
            let chunk = self
                .windows
                .entry((inode, window_of(base)))
                .or_default()
                .get_or_insert(chunk_of(base));
            let missing = mask & !chunk.present;
            if missing != 0 {
                chunk.enter(missing, absent);
            }
            chunk.visit(mask, |page, entry| {
                visit(base + page, entry, missing & (1 << page) != 0);
                Fate::Keep
            });
        }
    }

    /// Visits the resident pages of the run `first..=last` in order.
    pub(super) fn visit(
        &mut self,
        inode: InodeId,
        first: u64,
        last: u64,
        mut visit: impl FnMut(u64, &mut Entry) -> Fate,
    ) {
        let (lowest, highest) = (window_of(first), window_of(last));
        if lowest == highest {
            // One way down the tree instead of one for each end of a range.
            let window = self.windows.get_mut(&(inode, lowest));
            if window.is_some_and(|window| window.visit(lowest, first, last, &mut visit)) {
                self.windows.remove(&(inode, lowest));
            }
            return;
        }
        let mut empty = Vec::new();
        let range = (inode, lowest)..=(inode, highest);
        for (&(_, number), window) in self.windows.range_mut(range) {
            if window.visit(number, first, last, &mut visit) {
                empty.push(number);
            }
        }
        for number in empty {
            self.windows.remove(&(inode, number));
        }
    }

    /// Visits every resident page of every inode.
    pub(super) fn visit_all(&mut self, mut visit: impl FnMut(InodeId, u64, &mut Entry)) {
        for (&(inode, number), window) in &mut self.windows {
            for (chunk, position) in window
                .chunks
                .iter_mut()
                .zip(bits(u64::from(window.present)))
            {
                let base = ((number << WINDOW_BITS) + u64::from(position)) << CHUNK_BITS;
                for (entry, page) in chunk.entries.iter_mut().zip(bits(chunk.present)) {
                    visit(inode, base + u64::from(page), entry);
                }
            }
        }
    }

    /// The resident pages of an inode in order.
    pub(super) fn of_inode(&self, inode: InodeId) -> impl Iterator<Item = (u64, &Entry)> {
        let windows = self.windows.range((inode, 0)..=(inode, u64::MAX));
        windows.flat_map(|(&(_, number), window)| {
            let chunks = window.chunks.iter().zip(bits(u64::from(window.present)));
            chunks.flat_map(move |(chunk, position)| {
                let base = ((number << WINDOW_BITS) + u64::from(position)) << CHUNK_BITS;
                let entries = chunk.entries.iter().zip(bits(chunk.present));
                entries.map(move |(entry, page)| (base + u64::from(page), entry))
            })
        })
    }

    /// The first inode with a resident page whose id is `from` or higher.
    pub(super) fn next_inode(&self, from: InodeId) -> Option<InodeId> {
        self.windows
            .range((from, 0)..)
            .next()
            .map(|(&(inode, _), _)| inode)
    }

    /// Heap bytes in use: what was asked for, plus the allocator's 8 bytes per block,
    /// plus ordered-map nodes taken to be 60 % full.
    pub(super) fn memory_bytes(&self) -> u64 {
        let mut bytes = self.windows.len() * size_of::<((InodeId, u64), Window)>() * 10 / 6;
        for window in self.windows.values() {
            bytes += window.chunks.capacity() * size_of::<Chunk>() + 8;
            for chunk in &window.chunks {
                bytes += chunk.entries.capacity() * size_of::<Entry>() + 8;
            }
        }
        bytes as u64
    }
}

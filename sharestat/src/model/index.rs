//! The content index: which pages are resident, what is known of each, and how many
//! copies every content has. Both engines fill it; everything else reads it.
//!
//! Events of different CPUs arrive in no certain order. Where order would matter a page
//! is marked contested and probed rather than believed.

use std::{collections::BTreeSet, fmt};

use super::{
    charges::MemcgId,
    entry::{AGED, CONFIRMED, Entry, FRESH, READ},
    inode::{InodeId, InodeKey},
    inodes::InodeTable,
    journal::{Change, Journal, Pages},
    ledger::Ledger,
    page::{PageState, SkipReason},
    pages::{Fate, PageMap},
    totals::{Activity, Totals},
    units::{ContentHash, PageIndex},
    view::InodeView,
};

/// Contents looked up together: more than memory can answer at once, few enough to stay
/// in the nearest cache.
const LOOKUP_BATCH: usize = 128;

/// Resident pages by (inode, page index), and contents by number of copies.
pub struct ContentIndex {
    pub(super) pages: PageMap,
    pub(super) inodes: InodeTable,
    pub(super) ledger: Ledger,
    /// Runs contested since the last barrier, and those since the one before.
    pub(super) contested: [Vec<Run>; 2],
    /// Every memory cgroup that pages were charged to.
    pub(super) memcgs: BTreeSet<MemcgId>,
    pub(super) census_runs: bool,
    /// The latest time that any event told.
    pub(super) clock_ms: u32,
    pub(super) journal: Option<Box<dyn Journal>>,
}

/// Consecutive pages of one inode, both ends included.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) inode: InodeId,
    pub(super) first: u64,
    pub(super) last: u64,
}

/// A page that left the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedPage {
    /// Its content, when it was known.
    pub hash: Option<ContentHash>,
    /// Copies of that content that are still resident; 0 when it was not known.
    pub copies_left: u32,
    /// How long it was in the index, in milliseconds.
    pub resident_ms: u32,
}

impl ContentIndex {
    /// An empty index; `zero` is the hash of the zero page under this run's seed.
    #[must_use]
    pub fn new(zero: ContentHash) -> Self {
        Self {
            pages: PageMap::default(),
            inodes: InodeTable::default(),
            ledger: Ledger::new(zero),
            contested: [Vec::new(), Vec::new()],
            memcgs: BTreeSet::new(),
            census_runs: false,
            clock_ms: 0,
            journal: None,
        }
    }

    /// Makes room for so many different contents: entering them is faster then.
    pub fn expect(&mut self, distinct: u64) {
        self.ledger.contents.reserve(distinct);
    }

    /// A copy of it, as it is now, that no journal follows.
    pub(super) fn copied(&self) -> Self {
        Self {
            pages: self.pages.clone(),
            inodes: self.inodes.clone(),
            ledger: self.ledger.clone(),
            contested: self.contested.clone(),
            memcgs: self.memcgs.clone(),
            census_runs: self.census_runs,
            clock_ms: self.clock_ms,
            journal: None,
        }
    }

    /// The id of an inode, the same as long as it is known. `clean_state` says whether its
    /// pages have one (not tmpfs); the first call decides.
    pub fn intern(&mut self, key: InodeKey, clean_state: bool) -> InodeId {
        if self.journal.is_some() && self.inodes.find(&key).is_none() {
            self.note(|| Change::Intern(key, clean_state));
        }
        self.inodes.intern(key, clean_state)
    }

    /// The id of an inode, when it is known.
    #[must_use]
    pub fn find(&self, key: &InodeKey) -> Option<InodeId> {
        self.inodes.find(key)
    }

    /// The key of an inode, when it is known.
    #[must_use]
    pub fn key(&self, inode: InodeId) -> Option<&InodeKey> {
        self.inodes.get(inode).map(|record| &record.key)
    }

    /// The event that pages entered the page cache. Pages that were there already must
    /// have left in between: they want a new hash, and are contested because that
    /// removal may still be on its way.
    pub fn add(&mut self, inode: InodeId, first: PageIndex, pages: u64, now_ms: u32) {
        self.note(|| Change::Add(Pages::new(inode, first, pages), now_ms));
        self.clock_ms = self.clock_ms.max(now_ms);
        let (Some(run), Some(record)) = (run(inode, first, pages), self.inodes.get_mut(inode))
        else {
            return;
        };
        let mut contested = false;
        let clean_state = record.clean_state;
        let absent = Entry::new(now_ms, CONFIRMED);
        self.pages
            .fill(inode, run.first, run.last, absent, |_, entry, entered| {
                if clean_state {
                    self.ledger.avoidable.added(entry.has(READ));
                    entry.set(READ);
                }
                if entered {
                    self.ledger.enter(record, PageState::Pending);
                    return;
                }
                contested = true;
                self.ledger
                    .change(record, entry.state(), PageState::Pending);
                entry.set_state(PageState::Pending);
                entry.set_added_ms(now_ms);
                entry.set(FRESH | CONFIRMED);
            });
        if contested {
            self.contested[0].push(run);
        }
    }

    /// The event that pages left the page cache. Contested pages stay, to be probed;
    /// pages that are not there are ignored.
    pub fn remove(
        &mut self,
        inode: InodeId,
        first: PageIndex,
        pages: u64,
        now_ms: u32,
        removed: &mut dyn FnMut(RemovedPage),
    ) {
        self.note(|| Change::Remove(Pages::new(inode, first, pages), now_ms));
        self.take_out(inode, first, pages, now_ms, false, removed);
    }

    /// As [`remove`](Self::remove), when memory reclaim took the pages.
    pub fn reclaim(
        &mut self,
        inode: InodeId,
        first: PageIndex,
        pages: u64,
        now_ms: u32,
        removed: &mut dyn FnMut(RemovedPage),
    ) {
        self.note(|| Change::Reclaim(Pages::new(inode, first, pages), now_ms));
        self.take_out(inode, first, pages, now_ms, true, removed);
    }

    fn take_out(
        &mut self,
        inode: InodeId,
        first: PageIndex,
        pages: u64,
        now_ms: u32,
        reclaimed: bool,
        removed: &mut dyn FnMut(RemovedPage),
    ) {
        self.clock_ms = self.clock_ms.max(now_ms);
        let (Some(run), Some(record)) = (run(inode, first, pages), self.inodes.get_mut(inode))
        else {
            return;
        };
        self.pages.visit(inode, run.first, run.last, |_, entry| {
            let state = entry.state();
            if entry.has(FRESH | AGED) {
                self.ledger.change(record, state, PageState::Pending);
                entry.set_state(PageState::Pending);
                entry.set(CONFIRMED);
                return Fate::Keep;
            }
            let copies_left = self.ledger.leave(record, state);
            self.ledger.avoidable.sums.unknown += u64::from(entry.has(READ));
            if reclaimed && record.clean_state {
                self.ledger.reclaimed(inode, state, copies_left);
            }
            removed(RemovedPage {
                hash: state.content(),
                copies_left,
                resident_ms: now_ms.saturating_sub(entry.added_ms()),
            });
            Fate::Drop
        });
    }

    /// The event that pages became dirty: what was known of them is out of date.
    pub fn dirty(&mut self, inode: InodeId, first: PageIndex, pages: u64) {
        self.note(|| Change::Dirty(Pages::new(inode, first, pages)));
        let (Some(run), Some(record)) = (run(inode, first, pages), self.inodes.get_mut(inode))
        else {
            return;
        };
        self.pages.visit(inode, run.first, run.last, |_, entry| {
            let dirty = PageState::Skipped(SkipReason::Dirty);
            self.ledger.activity.dirtied += 1;
            self.ledger.avoidable.sums.written += u64::from(entry.has(READ));
            entry.clear(READ);
            self.ledger.change(record, entry.state(), dirty);
            entry.set_state(dirty);
            entry.set(CONFIRMED);
            Fate::Keep
        });
    }

    /// What is known of these pages may no longer be true: those that are resident want
    /// to be hashed again.
    pub fn doubt(&mut self, inode: InodeId, first: PageIndex, pages: u64) {
        let (Some(run), Some(record)) = (run(inode, first, pages), self.inodes.get_mut(inode))
        else {
            return;
        };
        let mut changed = false;
        self.pages.visit(inode, run.first, run.last, |_, entry| {
            changed |= entry.state() != PageState::Pending;
            self.ledger
                .change(record, entry.state(), PageState::Pending);
            entry.set_state(PageState::Pending);
            Fate::Keep
        });
        if changed {
            self.note(|| Change::Doubt(Pages::new(inode, first, pages)));
        }
    }

    /// Forgets an inode and all its pages, for example because it is gone. The same key
    /// gets another id afterwards.
    pub fn retire(&mut self, inode: InodeId) {
        self.note(|| Change::Retire(inode));
        let Some(record) = self.inodes.get_mut(inode) else {
            return;
        };
        self.pages.visit(inode, 0, u64::MAX, |_, entry| {
            self.ledger.leave(record, entry.state());
            self.ledger.avoidable.sums.unknown += u64::from(entry.has(READ));
            Fate::Drop
        });
        self.inodes.forget(inode);
    }

    /// Forgets the inodes that have no resident page (any more), and calls back for each.
    pub fn retire_empty(&mut self, retired: &mut dyn FnMut(InodeId)) {
        let empty: Vec<InodeId> = self.inodes.empty().collect();
        if !empty.is_empty() {
            self.note(|| Change::RetireEmpty);
        }
        for inode in empty {
            self.inodes.forget(inode);
            retired(inode);
        }
    }

    /// All sums, known at any moment.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.ledger.totals()
    }

    /// What happened so far.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.ledger.activity
    }

    /// Resident copies of a content.
    #[must_use]
    pub fn copies(&self, content: ContentHash) -> u32 {
        self.ledger.contents.copies(content)
    }

    /// The hash of the zero page under this run's seed.
    #[must_use]
    pub fn zero(&self) -> ContentHash {
        self.ledger.zero
    }

    /// Every content with its copies, in no particular order.
    pub fn contents(&self) -> impl Iterator<Item = (ContentHash, u32)> + '_ {
        self.ledger.contents.iter()
    }

    /// Visits the hashed pages of an inode in order, each with the copies of its content.
    /// Looks contents up in batches: several times faster than one by one.
    pub fn visit_contents(
        &self,
        inode: &InodeView<'_>,
        mut visit: impl FnMut(PageIndex, ContentHash, u32),
    ) {
        let contents = &self.ledger.contents;
        let mut look_up = |batch: &mut Vec<(PageIndex, ContentHash)>| {
            contents.warm_up(batch.iter().map(|&(_, content)| content));
            for (page, content) in batch.drain(..) {
                visit(page, content, contents.copies(content));
            }
        };
        let mut batch = Vec::with_capacity(LOOKUP_BATCH);
        // One call for all pages: taking them one by one costs as much as the look-ups.
        inode.contents().for_each(|page| {
            batch.push(page);
            if batch.len() == LOOKUP_BATCH {
                look_up(&mut batch);
            }
        });
        look_up(&mut batch);
    }

    /// The inodes with resident pages, by id.
    pub fn inodes(&self) -> impl Iterator<Item = InodeView<'_>> {
        let mut from = Some(InodeId(0));
        std::iter::from_fn(move || {
            let inode = self.pages.next_inode(from?)?;
            from = inode.0.checked_add(1).map(InodeId);
            self.view(inode)
        })
    }

    /// One inode, when it is known.
    #[must_use]
    pub fn view(&self, inode: InodeId) -> Option<InodeView<'_>> {
        let record = self.inodes.get(inode)?;
        Some(InodeView::new(inode, record, &self.pages))
    }

    /// Changes whenever residency or contents changed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.ledger.generation
    }

    /// Heap bytes in use, estimated from capacities.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let runs: usize = self.contested.iter().map(Vec::capacity).sum();
        self.pages.memory_bytes()
            + self.inodes.memory_bytes()
            + self.ledger.contents.memory_bytes()
            + self.ledger.avoidable.memory_bytes()
            + (runs * size_of::<Run>()) as u64
    }
}

/// The totals only: an index can hold millions of pages.
impl fmt::Debug for ContentIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ContentIndex")
            .field("totals", &self.totals())
            .finish_non_exhaustive()
    }
}

/// The run of pages, `None` when it is empty.
pub(super) fn run(inode: InodeId, first: PageIndex, pages: u64) -> Option<Run> {
    let last = first.0.saturating_add(pages.checked_sub(1)?);
    Some(Run {
        inode,
        first: first.0,
        last,
    })
}

#[cfg(test)]
mod tests;

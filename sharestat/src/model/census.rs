//! Repairing the index: a census says what is resident, and what it did not see is
//! doubted; barriers say when events that crossed each other have all arrived.

use super::{
    entry::{AGED, CONFIRMED, Entry, FRESH},
    index::{ContentIndex, run},
    inode::InodeId,
    journal::{Change, Pages, Runs},
    page::PageState,
    pages::Fate,
    units::PageIndex,
};

impl ContentIndex {
    /// Starts a census: until a page is seen or an event touches it, it is in doubt.
    pub fn begin_census(&mut self) {
        self.census_runs = true;
        self.pages.visit_all(|_, _, entry| entry.clear(CONFIRMED));
    }

    /// The census saw these pages. Those that the index did not have are entered; those
    /// without a hash, or all when what is known of them is `doubtful`, are handed to a
    /// worker, with a call for each.
    pub fn see(
        &mut self,
        inode: InodeId,
        first: PageIndex,
        pages: u64,
        doubtful: bool,
        now_ms: u32,
        claimed: &mut dyn FnMut(PageIndex),
    ) {
        let (Some(run), Some(record)) = (run(inode, first, pages), self.inodes.get_mut(inode))
        else {
            return;
        };
        let absent = Entry::new(now_ms, CONFIRMED);
        let (mut found, kept) = (Runs::default(), self.journal.is_some());
        let (mut doubted, mut any) = (false, false);
        self.pages.fill(
            inode,
            run.first,
            run.last,
            absent,
            |page, entry, entered| {
                entry.set(CONFIRMED);
                if entered {
                    self.ledger.enter(record, PageState::InFlight);
                    if kept {
                        found.push(inode, page);
                    }
                } else {
                    let from = entry.state();
                    if matches!(from, PageState::InFlight | PageState::Hashed(_)) {
                        if !doubtful {
                            return;
                        }
                        doubted = true;
                    }
                    self.ledger.change(record, from, PageState::InFlight);
                }
                entry.set_state(PageState::InFlight);
                any = true;
                claimed(PageIndex(page));
            },
        );
        for run in found.into_iter() {
            self.note(|| Change::Found(run, now_ms));
        }
        let seen = Pages::new(inode, first, pages);
        if doubted {
            self.note(|| Change::Doubt(seen));
        }
        if any {
            self.note(|| Change::Claim(seen));
        }
    }

    /// A journal tells that a census found these pages: those that the index does not
    /// have are entered.
    pub(super) fn found(&mut self, inode: InodeId, first: PageIndex, pages: u64, now_ms: u32) {
        let (Some(run), Some(record)) = (run(inode, first, pages), self.inodes.get_mut(inode))
        else {
            return;
        };
        let absent = Entry::new(now_ms, CONFIRMED);
        self.pages
            .fill(inode, run.first, run.last, absent, |_, entry, entered| {
                if entered {
                    self.ledger.enter(record, PageState::Pending);
                }
                entry.set(CONFIRMED);
            });
    }

    /// Ends a census: calls back for every page that is still in doubt, which is pending
    /// from now on, so that probing it decides. Does nothing when no census runs.
    pub fn end_census(&mut self, doubtful: &mut dyn FnMut(InodeId, PageIndex)) {
        if !std::mem::take(&mut self.census_runs) {
            return;
        }
        let (mut doubted, kept) = (Runs::default(), self.journal.is_some());
        self.pages.visit_all(|inode, page, entry| {
            if entry.has(CONFIRMED) {
                return;
            }
            if kept {
                doubted.push(inode, page);
            }
            if let Some(record) = self.inodes.get_mut(inode) {
                self.ledger
                    .change(record, entry.state(), PageState::Pending);
            }
            entry.set_state(PageState::Pending);
            doubtful(inode, PageIndex(page));
        });
        for run in doubted.into_iter() {
            self.note(|| Change::Doubt(run));
        }
    }

    /// A barrier: every event recorded before the last barrier has arrived. A page is
    /// contested until two have passed.
    pub fn settle(&mut self) {
        if self.contested.iter().any(|runs| !runs.is_empty()) {
            self.note(|| Change::Settle);
        }
        let [fresh, aged] = &mut self.contested;
        for run in aged.drain(..) {
            self.pages
                .visit(run.inode, run.first, run.last, |_, entry| {
                    entry.clear(AGED);
                    Fate::Keep
                });
        }
        std::mem::swap(fresh, aged);
        for run in aged.iter() {
            self.pages
                .visit(run.inode, run.first, run.last, |_, entry| {
                    if entry.has(FRESH) {
                        entry.clear(FRESH);
                        entry.set(AGED);
                    }
                    Fate::Keep
                });
        }
    }

    /// Calls back for every run of pages that wait to be hashed, by inode and index.
    pub fn pending_runs(&self, found: &mut dyn FnMut(InodeId, PageIndex, u64)) {
        for inode in self.inodes() {
            let mut open: Option<(u64, u64)> = None;
            for (PageIndex(page), state) in inode.pages() {
                if state != PageState::Pending {
                    continue;
                }
                match &mut open {
                    Some((first, pages)) if page - *first == *pages => *pages += 1,
                    _ => {
                        if let Some((first, pages)) = open.replace((page, 1)) {
                            found(inode.id, PageIndex(first), pages);
                        }
                    }
                }
            }
            if let Some((first, pages)) = open {
                found(inode.id, PageIndex(first), pages);
            }
        }
    }
}

//! Looking at pages: handing them to workers, and taking what was found.

use super::{
    entry::{CONFIRMED, Entry, READ},
    index::{ContentIndex, run},
    inode::InodeId,
    journal::{Change, Pages},
    page::{Observation, PageState},
    pages::Fate,
    units::{ContentHash, PageIndex},
};

impl ContentIndex {
    /// Hands the pages of a run that have no hash to a worker, and calls back for each.
    pub fn claim(
        &mut self,
        inode: InodeId,
        first: PageIndex,
        pages: u64,
        claimed: &mut dyn FnMut(PageIndex),
    ) {
        let (Some(run), Some(record)) = (run(inode, first, pages), self.inodes.get_mut(inode))
        else {
            return;
        };
        let mut any = false;
        self.pages.visit(inode, run.first, run.last, |page, entry| {
            match entry.state() {
                state @ (PageState::Pending | PageState::Skipped(_)) => {
                    any = true;
                    self.ledger.change(record, state, PageState::InFlight);
                    entry.set_state(PageState::InFlight);
                    claimed(PageIndex(page));
                }
                PageState::InFlight | PageState::Hashed(_) => {}
            }
            Fate::Keep
        });
        if any {
            self.note(|| Change::Claim(Pages::new(inode, first, pages)));
        }
    }

    /// What a worker found. Taken only where the page is still in flight; `false` when
    /// an event came first and the result was dropped.
    pub fn observe(&mut self, inode: InodeId, page: PageIndex, seen: Observation) -> bool {
        let in_flight = self
            .pages
            .get_mut(inode, page.0)
            .is_some_and(|entry| entry.state() == PageState::InFlight);
        if in_flight {
            self.note_seen(inode, page, &[seen]);
            self.insert(inode, page, seen);
        }
        in_flight
    }

    /// What a worker found of consecutive pages, as [`observe`](Self::observe) but several
    /// times faster; how many were taken.
    pub fn observe_run(&mut self, inode: InodeId, first: PageIndex, seen: &[Observation]) -> u64 {
        self.note_seen(inode, first, seen);
        let (Some(run), Some(record)) = (
            run(inode, first, seen.len() as u64),
            self.inodes.get_mut(inode),
        ) else {
            return 0;
        };
        self.ledger.contents.warm_up(contents(seen));
        let mut taken = 0;
        self.pages.visit(inode, run.first, run.last, |page, entry| {
            let from = entry.state();
            let seen = usize::try_from(page - run.first)
                .ok()
                .and_then(|page| seen.get(page));
            let (PageState::InFlight, Some(&seen)) = (from, seen) else {
                return Fate::Keep;
            };
            taken += 1;
            let Some(to) = state_after(seen) else {
                self.ledger.leave(record, from);
                self.ledger.avoidable.sums.unknown += u64::from(entry.has(READ));
                return Fate::Drop;
            };
            let copies = self.ledger.change(record, from, to);
            entry.set_state(to);
            if let Some(content) = to.content() {
                self.ledger.learned(inode, entry, content, copies);
            }
            Fate::Keep
        });
        taken
    }

    /// The contents of consecutive pages that are about to leave, as a hook found them
    /// then: taken whatever was known before.
    pub fn observe_leaving(&mut self, inode: InodeId, first: PageIndex, seen: &[ContentHash]) {
        self.note(|| Change::Leaving(inode, first, seen.to_vec()));
        let (Some(run), Some(record)) = (
            run(inode, first, seen.len() as u64),
            self.inodes.get_mut(inode),
        ) else {
            return;
        };
        self.pages.visit(inode, run.first, run.last, |page, entry| {
            let at = usize::try_from(page - run.first).ok();
            let Some(&content) = at.and_then(|at| seen.get(at)) else {
                return Fate::Keep;
            };
            let (from, to) = (entry.state(), PageState::Hashed(content));
            if from != to {
                let copies = self.ledger.change(record, from, to);
                entry.set_state(to);
                self.ledger.learned(inode, entry, content, copies);
            }
            Fate::Keep
        });
    }

    /// What one look at a page told, taken as it is: for an engine without events.
    pub fn insert(&mut self, inode: InodeId, page: PageIndex, seen: Observation) {
        let Some(record) = self.inodes.get_mut(inode) else {
            return;
        };
        let Some(state) = state_after(seen) else {
            self.pages.visit(inode, page.0, page.0, |_, entry| {
                self.ledger.leave(record, entry.state());
                self.ledger.avoidable.sums.unknown += u64::from(entry.has(READ));
                Fate::Drop
            });
            return;
        };
        let mut entered = false;
        let entry = self.pages.get_or_insert(inode, page.0, || {
            entered = true;
            Entry::new(self.clock_ms, CONFIRMED)
        });
        let copies = if entered {
            self.ledger.enter(record, state)
        } else {
            self.ledger.change(record, entry.state(), state)
        };
        entry.set_state(state);
        if let Some(content) = state.content() {
            self.ledger.learned(inode, entry, content, copies);
        }
    }

    /// What one look at consecutive pages told, as [`insert`](Self::insert) but faster.
    pub fn insert_run(&mut self, inode: InodeId, first: PageIndex, seen: &[Observation]) {
        if seen.contains(&Observation::Absent) {
            for (page, &seen) in (0..).zip(seen) {
                self.insert(inode, first.offset(page), seen);
            }
            return;
        }
        let (Some(run), Some(record)) = (
            run(inode, first, seen.len() as u64),
            self.inodes.get_mut(inode),
        ) else {
            return;
        };
        self.ledger.contents.warm_up(contents(seen));
        let absent = Entry::new(self.clock_ms, CONFIRMED);
        let mut states = seen.iter().filter_map(|&seen| state_after(seen));
        self.pages
            .fill(inode, run.first, run.last, absent, |_, entry, entered| {
                let Some(to) = states.next() else { return };
                let copies = if entered {
                    self.ledger.enter(record, to)
                } else {
                    self.ledger.change(record, entry.state(), to)
                };
                entry.set_state(to);
                if let Some(content) = to.content() {
                    self.ledger.learned(inode, entry, content, copies);
                }
            });
    }
}

fn contents(seen: &[Observation]) -> impl Iterator<Item = ContentHash> + '_ {
    seen.iter().filter_map(|&seen| state_after(seen)?.content())
}

/// The state of a page after it was looked at; `None` when it is not there.
const fn state_after(seen: Observation) -> Option<PageState> {
    match seen {
        Observation::Hashed(content) => Some(PageState::Hashed(content)),
        Observation::Skipped(reason) => Some(PageState::Skipped(reason)),
        Observation::Absent => None,
    }
}

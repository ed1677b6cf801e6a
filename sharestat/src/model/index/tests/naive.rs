//! The rules of the index in the plainest form: every page in one ordered map, nothing
//! counted in advance.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ContentHash, InodeId, Observation, PageIndex, PageState, RemovedPage, SkipReason, Step, Told,
    Totals, ZERO,
};

/// One page of the naive model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) state: PageState,
    /// Barriers until it is no longer contested.
    contested: u8,
    confirmed: bool,
    added_ms: u32,
}

/// Every page in one ordered map, nothing counted in advance.
#[derive(Default)]
pub(super) struct Naive {
    pub(super) pages: BTreeMap<(InodeId, u64), Page>,
    census_runs: bool,
    clock_ms: u32,
}

impl Naive {
    pub(super) fn copies(&self, content: ContentHash) -> u32 {
        let has_it = |page: &&Page| page.state == PageState::Hashed(content);
        u32::try_from(self.pages.values().filter(has_it).count()).expect("few pages")
    }

    fn enter(&mut self, inode: InodeId, page: u64, state: PageState, added_ms: u32) {
        let entered = Page {
            state,
            contested: 0,
            confirmed: true,
            added_ms,
        };
        self.pages.insert((inode, page), entered);
    }

    pub(super) fn apply(&mut self, ids: &[InodeId], step: &Step, now_ms: u32) -> Vec<Told> {
        let mut told = Vec::new();
        match *step {
            Step::Add(..) | Step::Remove(..) | Step::Dirty(..) => {
                self.apply_event(ids, step, now_ms, &mut told);
            }
            Step::Claim(inode, first, pages) => {
                for page in first..first + pages {
                    if let Some(there) = self.pages.get_mut(&(ids[inode], page))
                        && matches!(there.state, PageState::Pending | PageState::Skipped(_))
                    {
                        there.state = PageState::InFlight;
                        told.push(Told::Claimed(PageIndex(page)));
                    }
                }
            }
            Step::Observe(inode, page, seen) => {
                told.push(Told::Taken(self.observe(ids[inode], page, seen)));
            }
            Step::ObserveRun(inode, first, ref seen) => {
                let taken = (0..)
                    .zip(seen)
                    .filter(|&(page, &seen)| self.observe(ids[inode], first + page, seen));
                told.push(Told::TakenOfRun(taken.count() as u64));
            }
            Step::Insert(inode, page, seen) => self.insert(ids[inode], page, seen),
            Step::InsertRun(inode, first, ref seen) => {
                for (page, &seen) in (0..).zip(seen) {
                    self.insert(ids[inode], first + page, seen);
                }
            }
            Step::BeginCensus => {
                self.census_runs = true;
                self.pages
                    .values_mut()
                    .for_each(|page| page.confirmed = false);
            }
            Step::See(inode, first, pages, doubtful) => {
                for page in first..first + pages {
                    if !self.pages.contains_key(&(ids[inode], page)) {
                        self.enter(ids[inode], page, PageState::Pending, now_ms);
                    }
                    let Some(there) = self.pages.get_mut(&(ids[inode], page)) else {
                        continue;
                    };
                    there.confirmed = true;
                    let asked = matches!(there.state, PageState::InFlight | PageState::Hashed(_));
                    if doubtful || !asked {
                        there.state = PageState::InFlight;
                        told.push(Told::Claimed(PageIndex(page)));
                    }
                }
            }
            Step::EndCensus => {
                let runs = std::mem::take(&mut self.census_runs);
                for (&(inode, page), there) in &mut self.pages {
                    if runs && !there.confirmed {
                        there.state = PageState::Pending;
                        told.push(Told::Doubtful(inode, PageIndex(page)));
                    }
                }
            }
            Step::Settle => {
                for page in self.pages.values_mut() {
                    page.contested = page.contested.saturating_sub(1);
                }
            }
            Step::Retire(inode) => self.pages.retain(|&(owner, _), _| owner != ids[inode]),
        }
        told
    }

    fn apply_event(&mut self, ids: &[InodeId], step: &Step, now_ms: u32, told: &mut Vec<Told>) {
        match *step {
            Step::Add(inode, first, pages) => {
                self.clock_ms = now_ms;
                for page in first..first + pages {
                    let Some(there) = self.pages.get_mut(&(ids[inode], page)) else {
                        self.enter(ids[inode], page, PageState::Pending, now_ms);
                        continue;
                    };
                    *there = Page {
                        state: PageState::Pending,
                        contested: 2,
                        confirmed: true,
                        added_ms: now_ms,
                    };
                }
            }
            Step::Remove(inode, first, pages) => {
                self.clock_ms = now_ms;
                for page in first..first + pages {
                    let Some(there) = self.pages.get_mut(&(ids[inode], page)) else {
                        continue;
                    };
                    if there.contested > 0 {
                        there.state = PageState::Pending;
                        there.confirmed = true;
                        continue;
                    }
                    let gone = *there;
                    self.pages.remove(&(ids[inode], page));
                    let hash = gone.state.content();
                    told.push(Told::Removed(RemovedPage {
                        hash,
                        copies_left: hash.map_or(0, |hash| self.copies(hash)),
                        resident_ms: now_ms - gone.added_ms,
                    }));
                }
            }
            Step::Dirty(inode, first, pages) => {
                for page in first..first + pages {
                    if let Some(there) = self.pages.get_mut(&(ids[inode], page)) {
                        there.state = PageState::Skipped(SkipReason::Dirty);
                        there.confirmed = true;
                    }
                }
            }
            _ => unreachable!("only events come here"),
        }
    }

    fn observe(&mut self, inode: InodeId, page: u64, seen: Observation) -> bool {
        let there = self.pages.get(&(inode, page));
        let taken = there.is_some_and(|there| there.state == PageState::InFlight);
        if taken {
            self.insert(inode, page, seen);
        }
        taken
    }

    fn insert(&mut self, inode: InodeId, page: u64, seen: Observation) {
        let state = match seen {
            Observation::Hashed(content) => PageState::Hashed(content),
            Observation::Skipped(reason) => PageState::Skipped(reason),
            Observation::Absent => {
                self.pages.remove(&(inode, page));
                return;
            }
        };
        match self.pages.get_mut(&(inode, page)) {
            Some(there) => there.state = state,
            None => self.enter(inode, page, state, self.clock_ms),
        }
    }

    pub(super) fn totals(&self, ineligible: InodeId) -> Totals {
        let mut totals = Totals::default();
        let mut contents = BTreeMap::<ContentHash, u64>::new();
        let mut inodes = BTreeSet::new();
        for (&(inode, _), page) in &self.pages {
            totals.resident += 1;
            inodes.insert(inode);
            match page.state {
                PageState::Hashed(content) => {
                    totals.hashed += 1;
                    totals.eligible += u64::from(inode != ineligible);
                    *contents.entry(content).or_default() += 1;
                }
                PageState::Pending | PageState::InFlight => totals.skipped[5] += 1,
                PageState::Skipped(reason) => {
                    let position = SkipReason::ALL.iter().position(|each| *each == reason);
                    totals.skipped[position.expect("all reasons are listed")] += 1;
                }
            }
        }
        totals.distinct = contents.len() as u64;
        totals.duplicate = contents.values().map(|copies| copies - 1).sum();
        totals.zero_copies = contents.get(&ZERO).copied().unwrap_or(0);
        totals.inodes = inodes.len() as u64;
        totals
    }
}

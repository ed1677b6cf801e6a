//! The journal of a content index: every change, in order, as small values. Applied to an
//! empty index they make the same index again, so a recording can be played.
//!
//! Covers what the hooks and the census do; `insert` and `insert_run`, with which the
//! user-space engine fills an index once, are not in it.

use serde::{Deserialize, Serialize};

use super::{
    charges::MemcgId,
    index::ContentIndex,
    inode::{InodeId, InodeKey},
    page::{Observation, SkipReason},
    units::{ContentHash, PageIndex},
};

/// One change of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// An inode got the next id; whether its pages have a clean state.
    Intern(InodeKey, bool),
    /// Pages entered the page cache at this time.
    Add(Pages, u32),
    /// Pages left the page cache at this time.
    Remove(Pages, u32),
    /// Pages became dirty.
    Dirty(Pages),
    /// What is known of pages may no longer be true.
    Doubt(Pages),
    /// Pages were handed to a worker.
    Claim(Pages),
    /// A census found pages that no event had told of.
    Found(Pages, u32),
    /// A worker hashed consecutive pages.
    Hashed(InodeId, PageIndex, Vec<ContentHash>),
    /// A worker could not hash pages.
    Skipped(Pages, SkipReason),
    /// A worker did not find pages.
    Absent(Pages),
    /// A barrier.
    Settle,
    /// An inode and its pages were forgotten.
    Retire(InodeId),
    /// Inodes without a resident page were forgotten.
    RetireEmpty,
    /// Pages, which are resident, are charged to a memory cgroup.
    Charge(Pages, MemcgId),
    /// Memory reclaim took pages at this time.
    Reclaim(Pages, u32),
    /// A hook hashed consecutive pages that are about to leave.
    Leaving(InodeId, PageIndex, Vec<ContentHash>),
    /// Whether an inode is mapped shared and writably.
    MapWritably(InodeId, bool),
}

/// Consecutive pages of one inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages {
    /// The inode.
    pub inode: InodeId,
    /// The first page.
    pub first: PageIndex,
    /// How many.
    pub pages: u64,
}

/// Takes the changes of an index as they happen.
pub trait Journal: Send + Sync {
    /// One more change.
    fn note(&mut self, change: Change);
}

/// A change that no index can have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a change speaks of {pages} pages from page {first}, where {resident} are resident already, \
     and the machine has memory for {most}"
)]
pub struct Implausible {
    pages: u64,
    first: u64,
    resident: u64,
    most: u64,
}

impl Change {
    /// Makes the change; inodes that were retired meanwhile are passed to `retired`.
    ///
    /// # Errors
    /// When pages would be more than `most`, the pages that the machine has memory for, as
    /// only a forged or broken journal has it.
    pub fn apply(
        &self,
        index: &mut ContentIndex,
        most: u64,
        retired: &mut dyn FnMut(InodeId),
    ) -> Result<(), Implausible> {
        match self {
            Self::Intern(key, clean_state) => {
                index.intern(*key, *clean_state);
            }
            Self::Add(run, now) => {
                let Pages {
                    inode,
                    first,
                    pages,
                } = run.checked(index.totals().resident, most)?;
                index.add(inode, first, pages, *now);
            }
            Self::Remove(run, now) => {
                let Pages {
                    inode,
                    first,
                    pages,
                } = run.checked(0, most)?;
                index.remove(inode, first, pages, *now, &mut |_| {});
            }
            Self::Found(run, now) => {
                let Pages {
                    inode,
                    first,
                    pages,
                } = run.checked(index.totals().resident, most)?;
                index.found(inode, first, pages, *now);
            }
            Self::Dirty(run) => index.dirty(run.inode, run.first, run.pages),
            Self::Doubt(run) => index.doubt(run.inode, run.first, run.pages),
            Self::Claim(run) => index.claim(run.inode, run.first, run.pages, &mut |_| {}),
            Self::Hashed(inode, first, contents) => {
                let seen: Vec<_> = contents
                    .iter()
                    .map(|content| Observation::Hashed(*content))
                    .collect();
                index.observe_run(*inode, *first, &seen);
            }
            Self::Skipped(run, reason) => {
                observe(index, run.checked(0, most)?, Observation::Skipped(*reason));
            }
            Self::Absent(run) => observe(index, run.checked(0, most)?, Observation::Absent),
            Self::Settle => index.settle(),
            Self::Retire(inode) => {
                index.retire(*inode);
                retired(*inode);
            }
            Self::RetireEmpty => index.retire_empty(retired),
            Self::Reclaim(run, now) => {
                let Pages {
                    inode,
                    first,
                    pages,
                } = run.checked(0, most)?;
                index.reclaim(inode, first, pages, *now, &mut |_| {});
            }
            Self::Leaving(inode, first, contents) => {
                index.observe_leaving(*inode, *first, contents);
            }
            Self::MapWritably(inode, mapped) => index.map_writably(*inode, *mapped),
            Self::Charge(run, memcg) => {
                let Pages {
                    inode,
                    first,
                    pages,
                } = run.checked(0, most)?;
                index.charge(inode, first, pages, *memcg);
            }
        }
        Ok(())
    }
}

impl Pages {
    pub(super) const fn new(inode: InodeId, first: PageIndex, pages: u64) -> Self {
        Self {
            inode,
            first,
            pages,
        }
    }

    fn checked(self, resident: u64, most: u64) -> Result<Self, Implausible> {
        let Self { first, pages, .. } = self;
        let fits = resident.checked_add(pages).is_some_and(|all| all <= most);
        if fits && first.0.checked_add(pages).is_some() {
            return Ok(self);
        }
        Err(Implausible {
            pages,
            first: first.0,
            resident,
            most,
        })
    }
}

/// Observes the same of every page of a run.
fn observe(index: &mut ContentIndex, run: Pages, seen: Observation) {
    const STEP: u64 = 512;
    let same = [seen; 512];
    for from in (0..run.pages).step_by(512) {
        let pages = usize::try_from((run.pages - from).min(STEP)).unwrap_or(0);
        let part = same.get(..pages).unwrap_or_default();
        index.observe_run(run.inode, run.first.offset(from), part);
    }
}

impl ContentIndex {
    /// Hands every change from now on to `journal`. On an index that is not empty, what
    /// is there already will be missing from it.
    pub fn keep_journal(&mut self, journal: Box<dyn Journal>) {
        self.journal = Some(journal);
    }

    pub(super) fn note(&mut self, change: impl FnOnce() -> Change) {
        if let Some(journal) = &mut self.journal {
            journal.note(change());
        }
    }

    /// Notes what a worker found, equal neighbours together.
    pub(super) fn note_seen(&mut self, inode: InodeId, first: PageIndex, seen: &[Observation]) {
        let Some(journal) = &mut self.journal else {
            return;
        };
        let mut at = first;
        let alike = |one: &Observation, next: &Observation| {
            one == next
                || matches!(
                    (one, next),
                    (Observation::Hashed(_), Observation::Hashed(_))
                )
        };
        for part in seen.chunk_by(alike) {
            let run = Pages {
                inode,
                first: at,
                pages: part.len() as u64,
            };
            journal.note(match part[0] {
                Observation::Hashed(_) => {
                    let content = |seen: &Observation| match seen {
                        Observation::Hashed(content) => Some(*content),
                        Observation::Skipped(_) | Observation::Absent => None,
                    };
                    Change::Hashed(inode, at, part.iter().filter_map(content).collect())
                }
                Observation::Skipped(reason) => Change::Skipped(run, reason),
                Observation::Absent => Change::Absent(run),
            });
            at = at.offset(run.pages);
        }
    }
}

/// Gathers single pages into runs.
#[derive(Default)]
pub(super) struct Runs(Vec<Pages>);

impl Runs {
    pub(super) fn push(&mut self, inode: InodeId, page: u64) {
        match self.0.last_mut() {
            Some(run) if run.inode == inode && run.first.0 + run.pages == page => run.pages += 1,
            _ => self.0.push(Pages {
                inode,
                first: PageIndex(page),
                pages: 1,
            }),
        }
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = Pages> {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests;

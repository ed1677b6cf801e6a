//! Which pages want to be hashed, in the order in which they should be.
//!
//! Entries are runs of pages; whether a page still wants it is asked of the index when
//! its turn comes (`ContentIndex::claim`), so nothing has to be removed from here.

use std::collections::VecDeque;

use crate::model::{inode::InodeId, page::SkipReason, units::PageIndex};

/// Consecutive pages of one inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) inode: InodeId,
    pub(super) first: PageIndex,
    pub(super) pages: u64,
    /// When the pages appeared, milliseconds since the start.
    pub(super) since_ms: u32,
}

impl Run {
    fn is_continued_by(&self, next: &Self) -> bool {
        self.inode == next.inode && self.first.offset(self.pages) == next.first
    }
}

/// Soonest that a page is asked for again after it raced, was not uptodate yet, or was
/// under writeback: about as long as a read or write takes.
const SOON_MS: u32 = 200;
/// Soonest that a dirty page is asked for again: the flusher wakes every 5 s
/// (`dirty_writeback_centisecs`).
const LATER_MS: u32 = 5_000;

/// New pages first come, first served; pages to try again wait for their time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    fresh: VecDeque<Run>,
    soon: VecDeque<(u32, Run)>,
    later: VecDeque<(u32, Run)>,
}

impl Queue {
    /// Pages that just appeared.
    pub(super) fn push(&mut self, run: Run) {
        match self.fresh.back_mut() {
            Some(last) if last.is_continued_by(&run) => last.pages += run.pages,
            _ => self.fresh.push_back(run),
        }
    }

    /// Puts the rest of a run back to the front.
    pub(super) fn push_front(&mut self, run: Run) {
        self.fresh.push_front(run);
    }

    /// A page that could not be hashed, to be tried again where that can help.
    pub(super) fn retry(
        &mut self,
        inode: InodeId,
        page: PageIndex,
        reason: SkipReason,
        now_ms: u32,
    ) {
        let run = Run {
            inode,
            first: page,
            pages: 1,
            since_ms: now_ms,
        };
        match reason {
            SkipReason::Raced | SkipReason::NotUptodate | SkipReason::Writeback => {
                append(&mut self.soon, now_ms.saturating_add(SOON_MS), run);
            }
            SkipReason::Dirty => append(&mut self.later, now_ms.saturating_add(LATER_MS), run),
            SkipReason::Unreadable | SkipReason::Budget => {}
        }
    }

    /// The next run whose time has come.
    pub(super) fn pop(&mut self, now_ms: u32) -> Option<Run> {
        if let Some(run) = self.fresh.pop_front() {
            return Some(run);
        }
        for waiting in [&mut self.soon, &mut self.later] {
            if waiting.front().is_some_and(|(due, _)| *due <= now_ms) {
                return waiting.pop_front().map(|(_, run)| run);
            }
        }
        None
    }

    /// Whether nothing waits but what is tried again later.
    pub(super) fn is_idle(&self) -> bool {
        self.fresh.is_empty()
    }

    /// Whether pages wait that a short wait may settle.
    pub(super) fn expects_soon(&self) -> bool {
        !self.soon.is_empty()
    }
}

/// Appends to a queue of runs that wait, merging with the last where it is continued.
fn append(queue: &mut VecDeque<(u32, Run)>, due_ms: u32, run: Run) {
    match queue.back_mut() {
        Some((_, last)) if last.is_continued_by(&run) => last.pages += run.pages,
        _ => queue.push_back((due_ms, run)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(inode: u32, first: u64, pages: u64) -> Run {
        Run {
            inode: InodeId(inode),
            first: PageIndex(first),
            pages,
            since_ms: 0,
        }
    }

    #[test]
    fn runs_that_continue_become_one() {
        let mut queue = Queue::default();
        queue.push(run(1, 0, 4));
        queue.push(run(1, 4, 4));
        queue.push(run(2, 8, 1));
        assert_eq!(queue.pop(0), Some(run(1, 0, 8)));
        assert_eq!(queue.pop(0), Some(run(2, 8, 1)));
        assert_eq!(queue.pop(0), None);
    }

    #[test]
    fn a_dirty_page_waits_longer_than_a_raced_one() {
        let mut queue = Queue::default();
        queue.retry(InodeId(1), PageIndex(0), SkipReason::Dirty, 0);
        queue.retry(InodeId(2), PageIndex(0), SkipReason::Raced, 0);
        queue.retry(InodeId(3), PageIndex(0), SkipReason::Unreadable, 0);
        assert_eq!(queue.pop(SOON_MS - 1), None);
        assert_eq!(queue.pop(SOON_MS).map(|run| run.inode), Some(InodeId(2)));
        assert_eq!(queue.pop(SOON_MS), None);
        assert_eq!(queue.pop(LATER_MS).map(|run| run.inode), Some(InodeId(1)));
        assert_eq!(queue.pop(u32::MAX), None);
    }
}

//! Which pages want to be hashed, in the order in which they should be.
//!
//! Entries are runs of pages; whether a page still wants it is asked of the index when
//! its turn comes (`ContentIndex::claim`), so nothing has to be removed from here.

use std::{collections::VecDeque, time::Duration};

use crate::model::{inode::InodeId, page::SkipReason, units::PageIndex};

/// Consecutive pages of one inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) inode: InodeId,
    pub(super) first: PageIndex,
    pub(super) pages: u64,
    /// When the pages appeared, milliseconds since the start.
    pub(super) since_ms: u32,
    /// How often they were asked for in vain.
    pub(super) tries: u8,
}

impl Run {
    fn is_continued_by(&self, next: &Self) -> bool {
        self.inode == next.inode
            && self.tries == next.tries
            && self.first.offset(self.pages) == next.first
    }
}

/// Soonest that a page is asked for again after it raced, was not uptodate yet, or was
/// under writeback, unless said otherwise: about as long as a read or write takes.
const SOON: Duration = Duration::from_millis(200);
/// Soonest that a dirty page is asked for again: the flusher wakes every 5 s
/// (`dirty_writeback_centisecs`).
const LATER: Duration = Duration::from_secs(5);
/// Pauses double from try to try, so often at most: some pages never become uptodate or
/// clean, and asking for them must not become the main work.
const DOUBLINGS: usize = 8;
const LATER_DOUBLINGS: usize = 3;

/// New pages first come, first served; pages to try again wait for their time.
#[derive(Debug)]
pub(super) struct Queue {
    fresh: VecDeque<Run>,
    soon: Waiting<{ DOUBLINGS + 1 }>,
    later: Waiting<{ LATER_DOUBLINGS + 1 }>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            fresh: VecDeque::new(),
            soon: Waiting::new(SOON),
            later: Waiting::new(LATER),
        }
    }
}

impl Queue {
    /// Sets the time until a page is tried again that may be settled soon. Only before
    /// the first such page: they wait in the order of their time.
    pub(super) fn try_again_after(&mut self, pause: Duration) {
        self.soon = Waiting::new(pause);
    }

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

    /// A page that could not be hashed at the `tries`th try, to be tried again where that
    /// can help.
    pub(super) fn retry(
        &mut self,
        inode: InodeId,
        page: PageIndex,
        reason: SkipReason,
        now_ms: u32,
        tries: u8,
    ) {
        let run = Run {
            inode,
            first: page,
            pages: 1,
            since_ms: now_ms,
            tries,
        };
        match reason {
            SkipReason::Raced | SkipReason::NotUptodate | SkipReason::Writeback => {
                self.soon.push(now_ms, run);
            }
            SkipReason::Dirty => self.later.push(now_ms, run),
            SkipReason::Unreadable | SkipReason::Budget => {}
        }
    }

    /// The next run whose time has come.
    pub(super) fn pop(&mut self, now_ms: u32) -> Option<Run> {
        self.fresh
            .pop_front()
            .or_else(|| self.soon.pop(now_ms))
            .or_else(|| self.later.pop(now_ms))
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

/// Runs that wait for their time, by the number of doublings of the pause: within one
/// number they are in the order of their time.
#[derive(Debug)]
struct Waiting<const LEVELS: usize> {
    pause_ms: u32,
    levels: [VecDeque<(u32, Run)>; LEVELS],
}

impl<const LEVELS: usize> Waiting<LEVELS> {
    fn new(pause: Duration) -> Self {
        Self {
            pause_ms: u32::try_from(pause.as_millis()).unwrap_or(u32::MAX),
            levels: std::array::from_fn(|_| VecDeque::new()),
        }
    }

    /// Appends a run, merging it with the last where that is continued.
    fn push(&mut self, now_ms: u32, run: Run) {
        let level = usize::from(run.tries.saturating_sub(1)).min(LEVELS - 1);
        let due_ms = now_ms.saturating_add(self.pause_ms << level);
        let queue = &mut self.levels[level];
        match queue.back_mut() {
            Some((_, last)) if last.is_continued_by(&run) => last.pages += run.pages,
            _ => queue.push_back((due_ms, run)),
        }
    }

    fn pop(&mut self, now_ms: u32) -> Option<Run> {
        let due = |queue: &&mut VecDeque<(u32, Run)>| {
            queue.front().is_some_and(|(due_ms, _)| *due_ms <= now_ms)
        };
        let (_, run) = self.levels.iter_mut().find(due)?.pop_front()?;
        Some(run)
    }

    fn is_empty(&self) -> bool {
        self.levels.iter().all(VecDeque::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON_MS: u32 = 200;
    const LATER_MS: u32 = 5_000;

    fn run(inode: u32, first: u64, pages: u64) -> Run {
        Run {
            inode: InodeId(inode),
            first: PageIndex(first),
            pages,
            since_ms: 0,
            tries: 0,
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
        queue.retry(InodeId(1), PageIndex(0), SkipReason::Dirty, 0, 1);
        queue.retry(InodeId(2), PageIndex(0), SkipReason::Raced, 0, 1);
        queue.retry(InodeId(3), PageIndex(0), SkipReason::Unreadable, 0, 1);
        assert_eq!(queue.pop(SOON_MS - 1), None);
        assert_eq!(queue.pop(SOON_MS).map(|run| run.inode), Some(InodeId(2)));
        assert_eq!(queue.pop(SOON_MS), None);
        assert_eq!(queue.pop(LATER_MS).map(|run| run.inode), Some(InodeId(1)));
        assert_eq!(queue.pop(u32::MAX), None);
    }

    #[test]
    fn every_try_in_vain_doubles_the_pause_up_to_a_minute() {
        let mut queue = Queue::default();
        let mut pauses = Vec::new();
        for tries in 1..=12 {
            queue.retry(InodeId(1), PageIndex(0), SkipReason::NotUptodate, 0, tries);
            let due = (0..100_000)
                .step_by(100)
                .find(|now| queue.pop(*now).is_some());
            pauses.push(due.expect("it is tried again"));
        }
        assert_eq!(pauses[..4], [200, 400, 800, 1_600]);
        assert_eq!(pauses[8..], [51_200; 4]);
    }
}

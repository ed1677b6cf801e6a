//! When the live measurement walks all frames: at the start, after a loss, and now and
//! then without a reason. Pure: takes times and counts, says whether one is due.

use std::time::{Duration, Instant};

/// First pause between a census and the next that a loss asks for; doubles while losses
/// go on, so that a ring that is too small does not turn into a busy loop.
const REPAIR_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Time between two censuses without a reason: what no hook tells (tmpfs, splicing fuse).
const SCRUB: Duration = Duration::from_mins(10);

/// Which census runs, and when the next is due.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Next frame to walk while one runs.
    at: Option<u64>,
    /// Losses when the running one began, or the last one.
    losses: u64,
    ended: Option<Instant>,
    pause: Duration,
}

impl Schedule {
    /// The first census runs.
    pub(super) fn started() -> Self {
        Self {
            at: Some(0),
            losses: 0,
            ended: None,
            pause: REPAIR_PAUSE,
        }
    }

    /// The next frame to walk; `None` when no census runs.
    pub(super) fn at(&self) -> Option<u64> {
        self.at
    }

    /// Walked up to this frame.
    pub(super) fn walked_to(&mut self, frame: u64) {
        self.at = Some(frame);
    }

    /// All frames are walked.
    pub(super) fn end(&mut self, now: Instant) {
        self.at = None;
        self.ended = Some(now);
    }

    /// Whether one has ended.
    pub(super) fn counted(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether everything lost so far is repaired.
    pub(super) fn repaired(&self, losses: u64) -> bool {
        self.at.is_none() && self.losses == losses
    }

    /// Starts a census now, whether or not one is due or runs.
    pub(super) fn start(&mut self, losses: u64) {
        self.losses = losses;
        self.at = Some(0);
    }

    /// Starts a census when one is due: something was lost, or the last was long ago.
    pub(super) fn start_if_due(&mut self, losses: u64, now: Instant) -> bool {
        let (None, Some(ended)) = (self.at, self.ended) else {
            return false;
        };
        let quiet = now.saturating_duration_since(ended);
        if losses != self.losses && quiet >= self.pause {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        } else if quiet >= SCRUB {
            self.pause = REPAIR_PAUSE;
        } else {
            return false;
        }
        self.losses = losses;
        self.at = Some(0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_asks_for_a_census_and_further_losses_wait_longer() {
        let start = Instant::now();
        let mut schedule = Schedule::started();
        assert!(!schedule.start_if_due(5, start), "one runs already");
        schedule.end(start);
        assert!(schedule.counted());
        assert!(!schedule.repaired(5));
        assert!(!schedule.start_if_due(5, start), "too soon");
        let second = start + REPAIR_PAUSE;
        assert!(schedule.start_if_due(5, second));
        schedule.end(second);
        assert!(schedule.repaired(5));
        assert!(!schedule.start_if_due(6, second + REPAIR_PAUSE));
        assert!(schedule.start_if_due(6, second + 2 * REPAIR_PAUSE));
    }

    #[test]
    fn without_a_loss_a_census_comes_now_and_then() {
        let start = Instant::now();
        let mut schedule = Schedule::started();
        schedule.end(start);
        assert!(!schedule.start_if_due(0, start + SCRUB / 2));
        assert!(schedule.start_if_due(0, start + SCRUB));
        assert_eq!(schedule.at(), Some(0));
    }
}

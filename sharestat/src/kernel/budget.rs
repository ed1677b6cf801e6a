//! How much CPU time hashing may take: a bucket of CPU seconds that fills with time.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// CPU seconds that may be spent at once after a quiet time.
const FULL: f64 = 1.0;

/// A bucket of CPU time.
#[derive(Debug)]
pub(super) struct Budget {
    /// CPU seconds per second.
    rate: f64,
    seconds: f64,
    filled: Instant,
}

impl Budget {
    /// A bucket that fills at `rate` CPU seconds per second and starts with `burst`.
    pub(super) fn new(rate: f64, burst: Duration, now: Instant) -> Self {
        Self {
            rate,
            seconds: burst.as_secs_f64(),
            filled: now,
        }
    }

    /// Fills the bucket; true when something may be spent.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.filled).as_secs_f64() * self.rate;
        self.filled = now;
        // The burst of the start may exceed what the bucket otherwise holds.
        if self.seconds < FULL {
            self.seconds = (self.seconds + earned).min(FULL);
        }
        self.seconds > 0.0
    }

    /// Takes what was spent, also more than there is: it has to be earned back.
    pub(super) fn spend(&mut self, spent: Duration) {
        self.seconds -= spent.as_secs_f64();
    }
}

/// CPU time that this thread has used.
pub(super) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_has_to_be_earned_back() {
        let start = Instant::now();
        let mut budget = Budget::new(0.02, Duration::from_millis(10), start);
        assert!(budget.allows(start));
        budget.spend(Duration::from_millis(30));
        assert!(!budget.allows(start + Duration::from_millis(900)));
        assert!(budget.allows(start + Duration::from_millis(1_100)));
    }

    #[test]
    fn a_quiet_hour_earns_no_more_than_the_bucket_holds() {
        let start = Instant::now();
        let mut budget = Budget::new(0.02, Duration::ZERO, start);
        assert!(budget.allows(start + Duration::from_hours(1)));
        budget.spend(Duration::from_secs_f64(FULL));
        assert!(!budget.allows(start + Duration::from_hours(1)));
    }
}

//! Pauses that keep the cost to the machine below a limit, without a say in what is seen:
//! a pause right behind each busy window would leave out the busy times.

use std::time::Duration;

/// Watched time over which hits are averaged.
const MEMORY: Duration = Duration::from_secs(1);

/// Longest pause at a time.
const LONGEST: Duration = Duration::from_secs(10);

/// The average so far, fading.
pub(super) struct Pace {
    max_hz: f64,
    hits: f64,
    seconds: f64,
}

impl Pace {
    /// At most `max_hz` hits a second on average.
    pub(super) fn new(max_hz: f64) -> Self {
        Self {
            max_hz,
            hits: 0.0,
            seconds: 0.0,
        }
    }

    /// How long to pause after a window that `took` so long and had `hits`: in proportion
    /// to its length, by the average of many windows.
    #[expect(clippy::cast_precision_loss, reason = "a window has few hits")]
    pub(super) fn rest_after(&mut self, hits: u64, took: Duration) -> Duration {
        let seconds = took.as_secs_f64();
        let kept = (-seconds / MEMORY.as_secs_f64()).exp();
        self.hits = self.hits * kept + hits as f64;
        self.seconds = self.seconds * kept + seconds;
        // Before there is an average, hits count as if the time before had none.
        let rate = self.hits / self.seconds.max(MEMORY.as_secs_f64());
        let rest = seconds * (rate / self.max_hz - 1.0);
        Duration::from_secs_f64(rest.clamp(0.0, LONGEST.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(5);

    /// Hits per second over windows and pauses, when each window has so many.
    fn rate_with(hits: impl Fn(u64) -> u64, windows: u64) -> f64 {
        let mut pace = Pace::new(2000.0);
        let mut time = Duration::ZERO;
        let mut all = 0;
        for window in 0..windows {
            all += hits(window);
            time += WINDOW + pace.rest_after(hits(window), WINDOW);
        }
        f64::from(u32::try_from(all).unwrap_or(u32::MAX)) / time.as_secs_f64()
    }

    #[test]
    fn many_hits_are_kept_to_the_limit_and_few_are_not_slowed() {
        let fast = rate_with(|_| 500, 20_000);
        assert!((1900.0..2100.0).contains(&fast), "{fast}");
        let slow = rate_with(|_| 5, 2_000);
        assert!((slow - 1000.0).abs() < 1.0, "{slow}");
        // Bursts that are over before a pause begins.
        let bursts = rate_with(
            |window| 5000 * u64::from(window.is_multiple_of(100)),
            20_000,
        );
        assert!((1800.0..2200.0).contains(&bursts), "{bursts}");
    }

    #[test]
    fn a_busy_window_is_not_followed_by_a_longer_pause_than_a_quiet_one() {
        let mut pace = Pace::new(2000.0);
        for window in 0..2_000_u64 {
            pace.rest_after(40 * (window % 2), WINDOW);
        }
        let quiet = pace.rest_after(0, WINDOW).as_secs_f64();
        let busy = pace.rest_after(40, WINDOW).as_secs_f64();
        assert!((busy - quiet).abs() < 0.1 * quiet, "{quiet} and {busy}");
    }
}

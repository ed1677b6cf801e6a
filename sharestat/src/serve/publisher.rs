//! Makes samples out of moments, on the collector's thread: sums each time, the report when
//! something changed and seldom enough that making it stays within the CPU budget.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    Board,
    board::{Sample, Shown},
};
use crate::{
    kernel::moment::Moment,
    model::{measurement::Measurement, units::Bytes},
    report::{Host, Report, document, sums},
};

/// Oldest that a report gets while its numbers change, whatever it costs.
const OLDEST: Duration = Duration::from_mins(3);
/// Threads that make a report together.
const THREADS: u32 = 2;

/// Shows what a live measurement finds.
pub struct Publisher {
    board: Arc<Board>,
    host: Host,
    top: usize,
    budget: f64,
    last: Option<Last>,
}

/// The report made last.
struct Last {
    shown: Arc<Shown>,
    /// What of the index and of names it was made from.
    state: (u64, usize, u64, u64),
    made: Instant,
    took: Duration,
    true_at: Timestamp,
}

impl Publisher {
    /// Shows on `board`. Reports list `top` files, 0 for all, and take `budget` of one CPU.
    #[must_use]
    pub const fn new(board: Arc<Board>, host: Host, top: usize, budget: f64) -> Self {
        Self {
            board,
            host,
            top,
            budget,
            last: None,
        }
    }

    /// Shows one moment.
    pub fn take(&mut self, moment: &Moment<'_>) {
        let begun = Instant::now();
        let measurement = moment.measurement;
        // Before all frames were walked, sums say how far the walk is, not what there is.
        let last = moment.counted.then(|| self.report(measurement));
        let report_at = last.as_ref().map_or(self.board.began_at(), |last| last.1);
        let info = document::MeasurementInfo::of(measurement);
        let (coverage, totals) = sums(measurement);
        self.board.show(Sample {
            census: census(moment),
            totals,
            coverage,
            hooks: info.hooks,
            flow: moment.flow,
            index: Bytes(measurement.index.memory_bytes()),
            report: last.map(|last| last.0),
            report_at,
            taken_at: Timestamp::now(),
            taken: Instant::now(),
            took: begun.elapsed(),
            page: OnceLock::new(),
        });
    }

    /// The report, and when it was true last.
    fn report(&mut self, measurement: &Measurement) -> (Arc<Shown>, Timestamp) {
        let state = (
            measurement.index.generation(),
            measurement.identity.files.len(),
            measurement.identity.revision,
            measurement.identity.told,
        );
        let now = Timestamp::now();
        if let Some(last) = &mut self.last {
            if last.state == state {
                last.true_at = now;
            }
            if last.state == state || last.made.elapsed() < pause(last.took, self.budget) {
                return (Arc::clone(&last.shown), last.true_at);
            }
        }
        self.board.expect_a_report();
        let begun = Instant::now();
        let shown = Arc::new(Shown {
            report: Report::new(measurement, &self.host, self.top),
            json: OnceLock::new(),
        });
        self.last = Some(Last {
            shown: Arc::clone(&shown),
            state,
            made: Instant::now(),
            took: begun.elapsed(),
            true_at: now,
        });
        (shown, now)
    }
}

/// Time from one report to the next, when one took `took`.
fn pause(took: Duration, budget: f64) -> Duration {
    let work = took.saturating_mul(THREADS).as_secs_f64();
    Duration::try_from_secs_f64(work / budget).map_or(OLDEST, |pause| pause.min(OLDEST))
}

fn census(moment: &Moment<'_>) -> Option<u64> {
    if moment.counted {
        return None;
    }
    let (at, frames) = moment.census?;
    Some((at * 100).checked_div(frames).unwrap_or(0).min(99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_costs_more_is_made_less_often_up_to_a_limit() {
        let milliseconds = Duration::from_millis;
        assert_eq!(pause(milliseconds(10), 0.02), Duration::from_secs(1));
        assert_eq!(pause(milliseconds(100), 0.02), Duration::from_secs(10));
        assert_eq!(pause(Duration::from_mins(1), 0.02), OLDEST);
        assert_eq!(pause(Duration::ZERO, 0.0), OLDEST, "no budget at all");
    }
}

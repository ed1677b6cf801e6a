//! What the collector shows and clients read. The collector replaces a pointer and goes on;
//! readers take the pointer. A sample that is too old is not given out as one.

use std::{
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    kernel::movement::Flow,
    model::units::Bytes as Size,
    report::{
        Report,
        document::{Coverage, Hook, TotalBytes},
    },
};

/// A late sample is waited for that long, beside the time between samples.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same while a report is being made: how long that takes is not known before.
const REPORT_PATIENCE: Duration = Duration::from_mins(1);

/// One moment of the measurement.
#[derive(Debug)]
pub(super) struct Sample {
    /// When it was finished.
    pub(super) taken: Instant,
    /// The same, by the clock.
    pub(super) taken_at: Timestamp,
    /// How long making it took.
    pub(super) took: Duration,
    /// How far the first census is, in percent; `None` when it has ended.
    pub(super) census: Option<u64>,
    pub(super) totals: TotalBytes,
    pub(super) coverage: Coverage,
    pub(super) hooks: Vec<Hook>,
    pub(super) flow: Flow,
    pub(super) index: Size,
    /// The report made last; none before the first census has ended.
    pub(super) report: Option<Arc<Shown>>,
    /// When the report was true last.
    pub(super) report_at: Timestamp,
    /// The page of this sample, made when somebody asks.
    pub(super) page: OnceLock<Bytes>,
}

/// A report, and its JSON when somebody asked for it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) report: Report,
    pub(super) json: OnceLock<Bytes>,
}

#[derive(Debug)]
enum State {
    Starting,
    Running(Arc<Sample>),
    Stopped(Arc<str>),
}

/// What a reader finds.
#[derive(Debug)]
pub(super) enum Reading {
    /// There is no sample yet.
    Starting,
    /// The last sample.
    Fresh(Arc<Sample>),
    /// No sample came for so long.
    Silent(Duration),
    /// The collector has ended, and why.
    Stopped(Arc<str>),
}

/// Where the collector shows its samples.
#[derive(Debug)]
pub struct Board {
    state: RwLock<State>,
    /// Whether the collector makes a report.
    reporting: AtomicBool,
    every: Duration,
    began: Instant,
    began_at: Timestamp,
}

impl Board {
    /// For a collector that shows a sample every `every`.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self {
            state: RwLock::new(State::Starting),
            reporting: AtomicBool::new(false),
            every,
            began: Instant::now(),
            began_at: Timestamp::now(),
        }
    }

    /// Time between samples.
    pub(super) const fn every(&self) -> Duration {
        self.every
    }

    /// When it was made, by the clock.
    pub(super) const fn began_at(&self) -> Timestamp {
        self.began_at
    }

    /// Says that the next sample may take as long as a report does.
    pub(super) fn expect_a_report(&self) {
        self.reporting.store(true, Relaxed);
    }

    /// Shows a sample instead of the last one.
    pub(super) fn show(&self, sample: Sample) {
        self.reporting.store(false, Relaxed);
        self.set(State::Running(Arc::new(sample)));
    }

    /// Says that no more samples come.
    pub fn stop(&self, why: &str) {
        self.set(State::Stopped(why.into()));
    }

    /// The same, unless that was said already.
    pub fn stop_unless_told(&self, why: &str) {
        if !matches!(self.read(), Reading::Stopped(_)) {
            self.stop(why);
        }
    }

    fn set(&self, state: State) {
        let before = {
            let mut place = self.state.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, state)
        };
        // A large report is freed without anybody waiting.
        drop(before);
    }

    /// What there is now.
    pub(super) fn read(&self) -> Reading {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Starting => Reading::Starting,
            State::Stopped(why) => Reading::Stopped(Arc::clone(why)),
            State::Running(sample) => {
                let age = sample.taken.elapsed();
                let patience = if self.reporting.load(Relaxed) {
                    REPORT_PATIENCE
                } else {
                    PATIENCE
                };
                if age > 3 * (self.every + sample.took) + patience {
                    Reading::Silent(age)
                } else {
                    Reading::Fresh(Arc::clone(sample))
                }
            }
        }
    }

    /// How long it has been there.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::{document::AvoidableInfo, sample};

    /// A sample of the small measurement that other formats are tested with.
    pub(in super::super) fn sample(counted: bool) -> Sample {
        let mut report = sample::report();
        report.avoidable = Some(AvoidableInfo::default());
        let now = Timestamp::now();
        Sample {
            taken: Instant::now(),
            taken_at: now,
            took: Duration::ZERO,
            census: (!counted).then_some(37),
            totals: report.totals,
            coverage: report.coverage.clone(),
            hooks: report.measurement.hooks.clone(),
            flow: Flow::default(),
            index: Size(1),
            report_at: now,
            report: counted.then(|| {
                Arc::new(Shown {
                    report,
                    json: OnceLock::new(),
                })
            }),
            page: OnceLock::new(),
        }
    }

    #[test]
    fn a_sample_is_fresh_until_it_is_late_and_a_report_may_be_later() {
        let board = Board::new(Duration::from_secs(1));
        assert!(matches!(board.read(), Reading::Starting));
        let aged = |seconds| Sample {
            taken: Instant::now()
                .checked_sub(Duration::from_secs(seconds))
                .expect("the machine is up for longer"),
            ..sample(true)
        };
        board.show(aged(6));
        assert!(matches!(board.read(), Reading::Fresh(_)));
        board.show(aged(20));
        assert!(matches!(board.read(), Reading::Silent(_)));
        board.expect_a_report();
        assert!(matches!(board.read(), Reading::Fresh(_)));
        board.show(aged(20));
        assert!(matches!(board.read(), Reading::Silent(_)));
        board.stop("no reason");
        board.stop_unless_told("another");
        assert!(matches!(board.read(), Reading::Stopped(why) if &*why == "no reason"));
    }
}

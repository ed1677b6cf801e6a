//! The live measurement behind `top`: hooks first, a census in slices, then events,
//! with hashing under a CPU budget and a repair after every loss.
//!
//! One task on one thread; whoever watches gets a [`LiveView`] as often as asked for.

mod work;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use sharestat_ebpf::counters::Counter;
use tokio::{sync::mpsc, task::yield_now, time::sleep_until};

use self::work::Work;
use super::{
    budget::Budget,
    census::Schedule,
    collector::Collector,
    counters::Counters,
    error::Error,
    instrument::{EventRing, Instrument, Options, RING_BYTES},
    kernel_log::KernelLog,
    movement::{Distributions, Flow},
    names::Names,
    own_cost::return_freed_memory,
};
use crate::{
    identity::storage::Background,
    model::{journal::Journal, measurement::Measurement},
    seed::Seed,
};

/// What to watch, and at what cost.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Directories to restrict the measurement to; none: everything.
    pub paths: Vec<PathBuf>,
    /// Seed of the content hash.
    pub seed: Seed,
    /// Share of one CPU that hashing may take, 0.02 for 2 %.
    pub cpu_budget: f64,
    /// Time between views.
    pub every: Duration,
    /// Size of the event ring in bytes; `None`: [`RING_BYTES`].
    pub ring_bytes: Option<u32>,
    /// aya-log level of the BPF programs, 0 (off) to 5.
    pub log_level: u8,
    /// Whether to ask storage about extents and digests of files meanwhile.
    pub ask_storage: bool,
}

/// What the watcher asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Time between views.
    Every(Duration),
    /// A view now.
    Now,
    /// Walk all frames again, whatever was lost.
    Census,
    /// End.
    Stop,
}

/// The state of the measurement at one moment.
pub struct LiveView<'a> {
    /// What is resident, and its contents.
    pub measurement: &'a Measurement,
    /// Frames walked by the census that runs, of so many; `None` when none does.
    pub census: Option<(u64, u64)>,
    /// Whether the first census has ended.
    pub counted: bool,
    /// Pages that came and went.
    pub flow: Flow,
    /// Counters of the BPF programs.
    pub counters: Counters,
    /// Cost of each hook in nanoseconds.
    pub hook_costs: Vec<(&'static str, Histogram<u64>)>,
    /// What the collector measured about its own work.
    pub distributions: &'a Distributions,
    /// Time since the start.
    pub elapsed: Duration,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// Go on.
    On,
    /// End.
    Stop,
}

/// CPU time that the start may take for hashing, whatever the budget.
const BURST: Duration = Duration::from_secs(4);
/// The first view waits for the census, but not longer.
const PATIENCE: Duration = Duration::from_millis(600);

/// A live measurement that was started.
pub struct Live {
    instrument: Instrument,
    ring: EventRing,
    log: KernelLog,
    collector: Collector,
    budget: Budget,
    census: Schedule,
    every: Duration,
    storage: Option<Background>,
}

impl Live {
    /// Loads and proves the instrument and attaches the hooks.
    ///
    /// # Errors
    /// When the instrument cannot be started; see [`Error::class`].
    pub fn start(options: &LiveOptions) -> Result<Self, Error> {
        let names = Names::new(&options.paths)?;
        let (instrument, ring, log) = Instrument::start(&Options {
            seed: options.seed,
            workers: 1,
            ring_bytes: options.ring_bytes.unwrap_or(RING_BYTES),
            removal_pages_per_second: removal_rate(options.cpu_budget),
            log_level: options.log_level,
        })?;
        let mut collector = Collector::new(options.seed, names, &instrument);
        collector.watch();
        collector.begin_census();
        return_freed_memory();
        let budget = Budget::new(options.cpu_budget, BURST, Instant::now());
        let storage = options
            .ask_storage
            .then(|| Background::start(options.cpu_budget))
            .transpose()
            .map_err(|source| Error::Runtime { source })?;
        Ok(Self {
            storage,
            instrument,
            ring,
            log,
            collector,
            budget,
            census: Schedule::started(),
            every: options.every,
        })
    }

    /// What is known at the start: how it measures, and an empty index.
    #[must_use]
    pub const fn measurement(&self) -> &Measurement {
        &self.collector.measurement
    }

    /// Names of the counters in every view.
    pub fn counter_names(&self) -> impl Iterator<Item = &'static str> {
        Counter::ALL.iter().map(|counter| counter.name())
    }

    /// Hands every change of the index to `journal`. To be called before
    /// [`run`](Self::run), so that the journal has all of them.
    pub fn keep_journal(&mut self, journal: Box<dyn Journal>) {
        self.collector.measurement.index.keep_journal(journal);
    }

    /// Watches until told to stop, by a request, by the watcher, or because nobody can
    /// send requests any more.
    ///
    /// # Errors
    /// When a program or map fails while watching.
    pub async fn run(
        self,
        mut requests: mpsc::Receiver<Request>,
        mut watch: impl FnMut(&LiveView<'_>) -> Go,
    ) -> Result<(), Error> {
        let mut every = self.every;
        let mut work = Work::of(self)?;
        let mut next_tick = Instant::now();
        let mut due = Instant::now() + PATIENCE.min(every);
        let mut shown = false;
        loop {
            let busy = work.busy();
            tokio::select! {
                biased;
                request = requests.recv() => match request {
                    Some(Request::Every(asked)) => {
                        every = asked;
                        due = due.min(Instant::now() + every);
                    }
                    Some(Request::Now) => due = Instant::now(),
                    Some(Request::Census) => work.begin_census()?,
                    Some(Request::Stop) | None => return Ok(()),
                },
                () = sleep_until(next_tick.min(due).into()) => {
                    work.tick()?;
                    next_tick = Instant::now() + work.pace();
                }
                drained = work.readable() => {
                    drained?;
                    // A ring that is never empty leaves time for the rest.
                    if busy {
                        work.step()?;
                    }
                }
                () = yield_now(), if busy => work.step()?,
            }
            let counted = !shown && work.counted();
            if counted || Instant::now() >= due {
                shown = true;
                let begun = Instant::now();
                if work.show(&mut watch)? == Go::Stop {
                    return Ok(());
                }
                let now = Instant::now();
                // Measuring gets at least as much time as showing, however often a view
                // is asked for.
                due = (due.min(now) + every).max(now + (now - begun));
            }
        }
    }
}

/// Pages per second and CPU that the removal hooks may hash: the same share of a CPU as
/// the collector's, at about a microsecond a page.
fn removal_rate(cpu_budget: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a small positive range"
    )]
    let pages = (cpu_budget * 1_000_000.0).clamp(0.0, 1_000_000.0) as u64;
    pages
}

//! The live measurement behind `top`: hooks first, a census in slices, then events,
//! with hashing under a CPU budget and a repair after every loss.
//!
//! One task on one thread; whoever watches gets a [`LiveView`] as often as asked for.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use sharestat_ebpf::counters::Counter;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::mpsc,
    task::yield_now,
    time::sleep_until,
};

use super::{
    batch::Batch,
    budget::{Budget, thread_time},
    census::Schedule,
    collector::{Collector, in_order},
    counters::Counters,
    error::Error,
    instrument::{EventRing, Instrument, Options, RING_BYTES},
    kernel_log::KernelLog,
    movement::{Distributions, Flow},
    names::Names,
};
use crate::{
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

/// Time between flushes of the hooks' pending runs while anything happens.
const TICK: Duration = Duration::from_millis(100);
/// The same when nothing has happened for a while: how old an event can get. A view is
/// always preceded by a flush.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// Time between two looks whether anything was lost: they read a file for each hook.
const LOSSES_EVERY: Duration = Duration::from_millis(500);
/// CPU time that the start may take for hashing, whatever the budget.
const BURST: Duration = Duration::from_secs(4);
/// Frames of one slice of a census, a few milliseconds.
const SLICE_FRAMES: u64 = 65_536;
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
    options: LiveOptions,
}

impl Live {
    /// Loads and proves the instrument and attaches the hooks.
    ///
    /// # Errors
    /// When the instrument cannot be started; see [`Error::class`].
    pub fn start(options: LiveOptions) -> Result<Self, Error> {
        let names = Names::new(&options.paths)?;
        let (instrument, ring, log) = Instrument::start(&Options {
            seed: options.seed,
            workers: 1,
            ring_bytes: options.ring_bytes.unwrap_or(RING_BYTES),
            removal_pages_per_second: removal_rate(options.cpu_budget),
            log_level: options.log_level,
        })?;
        let mut collector = Collector::new(options.seed, names, &instrument);
        collector.begin_census();
        let budget = Budget::new(options.cpu_budget, BURST, Instant::now());
        Ok(Self {
            instrument,
            ring,
            log,
            collector,
            budget,
            census: Schedule::started(),
            options,
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
        let Self {
            instrument,
            ring,
            log,
            collector,
            budget,
            census,
            options,
        } = self;
        let ring = watched_by_tokio(ring)?;
        let mut watcher = Watcher {
            instrument,
            ring,
            log,
            collector,
            budget,
            census,
            open: Batch::default(),
            every: options.every,
            pace: TICK,
            losses_read: Instant::now(),
        };
        let mut next_tick = Instant::now();
        let mut due = Instant::now() + PATIENCE.min(options.every);
        let mut shown = false;
        loop {
            let busy = watcher.busy();
            tokio::select! {
                biased;
                request = requests.recv() => match request {
                    Some(Request::Every(every)) => {
                        watcher.every = every;
                        due = due.min(Instant::now() + every);
                    }
                    Some(Request::Now) => due = Instant::now(),
                    Some(Request::Census) => watcher.begin_census()?,
                    Some(Request::Stop) | None => return Ok(()),
                },
                () = sleep_until(next_tick.min(due).into()) => {
                    watcher.tick()?;
                    next_tick = Instant::now() + watcher.pace;
                }
                drained = watcher.readable() => {
                    drained?;
                    // A ring that is never empty leaves time for the rest.
                    if busy {
                        watcher.step()?;
                    }
                }
                () = yield_now(), if busy => watcher.step()?,
            }
            let counted = !shown && watcher.census.counted();
            if counted || Instant::now() >= due {
                shown = true;
                let begun = Instant::now();
                if watcher.show(&mut watch)? == Go::Stop {
                    return Ok(());
                }
                let now = Instant::now();
                // Measuring gets at least as much time as showing, however often a view
                // is asked for.
                due = (due.min(now) + watcher.every).max(now + (now - begun));
            }
        }
    }
}

/// Registers the ring for wake-ups.
fn watched_by_tokio(ring: EventRing) -> Result<AsyncFd<EventRing>, Error> {
    // SAFETY: the ring owns its descriptor and always tells the same one.
    unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }.map_err(|error| {
        Error::Runtime {
            source: error.into(),
        }
    })
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

struct Watcher {
    instrument: Instrument,
    ring: AsyncFd<EventRing>,
    log: KernelLog,
    collector: Collector,
    budget: Budget,
    census: Schedule,
    /// Pages found by the census that wait for their batch to be full.
    open: Batch,
    every: Duration,
    /// Time until the next tick.
    pace: Duration,
    /// When it was asked last whether anything was lost.
    losses_read: Instant,
}

impl Watcher {
    /// Waits until the ring asks to be drained, and takes a fair share from it.
    async fn readable(&mut self) -> Result<(), Error> {
        let mut guard = self
            .ring
            .readable_mut()
            .await
            .map_err(|source| Error::Runtime { source })?;
        if self
            .collector
            .drain(&self.instrument, guard.get_inner_mut())?
        {
            guard.clear_ready();
        }
        Ok(())
    }

    /// Whether there is work that does not wait for the clock.
    fn busy(&mut self) -> bool {
        self.census.at().is_some()
            || (!self.collector.queue.is_idle() && self.budget.allows(Instant::now()))
    }

    fn tick(&mut self) -> Result<(), Error> {
        let before = self.collector.measurement.index.generation();
        self.collector
            .barrier(&self.instrument, self.ring.get_mut())?;
        self.log.flush();
        let idle = before == self.collector.measurement.index.generation()
            && self.collector.queue.is_idle()
            && self.census.at().is_none();
        self.pace = if idle {
            (self.pace * 2).min(IDLE_TICK)
        } else {
            TICK
        };
        if self.losses_read.elapsed() >= LOSSES_EVERY {
            self.losses_read = Instant::now();
            self.consider_census()?;
        }
        self.hash_some()
    }

    /// One slice of whatever is to be done.
    fn step(&mut self) -> Result<(), Error> {
        if self.census.at().is_some() {
            self.walk_slice()
        } else {
            self.hash_some()
        }
    }

    /// Losses since the start: events that found the ring full, and hook runs that the
    /// kernel dropped.
    fn losses(&self) -> Result<u64, Error> {
        let lost = self.instrument.counters.read_one(Counter::EventsLost)?;
        Ok(lost
            + self
                .instrument
                .misses()
                .iter()
                .map(|(_, misses)| misses)
                .sum::<u64>())
    }

    /// Starts a census, from the first frame on when one runs already.
    fn begin_census(&mut self) -> Result<(), Error> {
        self.census.start(self.losses()?);
        self.collector.begin_census();
        Ok(())
    }

    /// Starts a census when something was lost, or when the last was long ago.
    fn consider_census(&mut self) -> Result<(), Error> {
        let losses = self.losses()?;
        if self.census.start_if_due(losses, Instant::now()) {
            self.collector.begin_census();
        }
        Ok(())
    }

    fn walk_slice(&mut self) -> Result<(), Error> {
        let Some(at) = self.census.at() else {
            return Ok(());
        };
        let end = (at + SLICE_FRAMES).min(self.instrument.frames);
        let mut found = Vec::new();
        self.instrument
            .walk(0, at, end, &mut |records| found.extend_from_slice(records))?;
        in_order(&mut found);
        let mut full = Vec::new();
        self.collector
            .seen(&self.instrument, &found, &mut self.open, &mut |batch| {
                full.push(batch);
            })?;
        let last = end >= self.instrument.frames;
        if last && !self.open.is_empty() {
            full.push(std::mem::take(&mut self.open));
        }
        for batch in &full {
            self.hash_or_return(batch)?;
        }
        if last {
            // What happened during the walk wins over what the walk saw.
            self.collector
                .barrier(&self.instrument, self.ring.get_mut())?;
            self.collector.end_census();
            self.census.end(Instant::now());
        } else {
            self.census.walked_to(end);
        }
        Ok(())
    }

    /// Hashes a batch of the census, or, when the budget is spent, puts its pages into
    /// the queue.
    fn hash_or_return(&mut self, batch: &Batch) -> Result<(), Error> {
        if self.budget.allows(Instant::now()) {
            self.hash(batch)
        } else {
            self.collector.give_back(batch);
            Ok(())
        }
    }

    fn hash(&mut self, batch: &Batch) -> Result<(), Error> {
        let before = thread_time();
        self.collector.hash_now(&self.instrument, 0, batch)?;
        self.budget.spend(thread_time().saturating_sub(before));
        Ok(())
    }

    /// Hashes what waits, for a tick at most and as far as the budget goes.
    fn hash_some(&mut self) -> Result<(), Error> {
        let begun = Instant::now();
        while begun.elapsed() < TICK / 4 && self.budget.allows(Instant::now()) {
            let Some(batch) = self.collector.next_batch() else {
                break;
            };
            self.hash(&batch)?;
        }
        Ok(())
    }

    fn show(&mut self, watch: &mut impl FnMut(&LiveView<'_>) -> Go) -> Result<Go, Error> {
        self.collector.name_inodes(&self.instrument)?;
        let counters = self.instrument.counters.read()?;
        let misses = self.instrument.misses();
        let counted = self.census.counted();
        let repaired = self.census.repaired(self.losses()?);
        self.collector
            .close(&counters, &misses, counted && repaired);
        Ok(watch(&LiveView {
            measurement: &self.collector.measurement,
            census: self.census.at().map(|at| (at, self.instrument.frames)),
            counted,
            flow: self.collector.flow,
            hook_costs: self.instrument.counters.costs()?,
            counters,
            distributions: &self.collector.distributions,
            elapsed: self.collector.elapsed(),
        }))
    }
}

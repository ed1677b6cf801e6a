//! The work of a live measurement, in slices short enough for one thread: draining the
//! ring, walking frames, hashing what waits, repairing what was lost, showing.

use std::time::{Duration, Instant};

use sharestat_ebpf::counters::Counter;
use tokio::io::{Interest, unix::AsyncFd};

use super::{
    super::{
        batch::Batch,
        budget::{Budget, thread_time},
        census::Schedule,
        collector::{Collector, in_order},
        error::Error,
        instrument::{EventRing, Instrument},
        kernel_log::KernelLog,
        own_cost::return_freed_memory,
    },
    Go, Live, LiveView,
};
use crate::identity::storage::Background;

/// Time between flushes of the hooks' pending runs while anything happens.
const TICK: Duration = Duration::from_millis(100);
/// The same when nothing has happened for a while: how old an event can get. A view is
/// always preceded by a flush.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// Time between two looks whether anything was lost: they read a file for each hook.
const LOSSES_EVERY: Duration = Duration::from_millis(500);
/// Time between two returns of freed memory to the kernel, which look at all of it.
const RETURN_EVERY: Duration = Duration::from_mins(1);
/// Frames of one slice of a census, a few milliseconds.
const SLICE_FRAMES: u64 = 65_536;

/// Registers the ring for wake-ups.
fn watched_by_tokio(ring: EventRing) -> Result<AsyncFd<EventRing>, Error> {
    // SAFETY: the ring owns its descriptor and always tells the same one.
    unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }.map_err(|error| {
        Error::Runtime {
            source: error.into(),
        }
    })
}

/// A live measurement that runs.
pub(super) struct Work {
    instrument: Instrument,
    ring: AsyncFd<EventRing>,
    log: KernelLog,
    collector: Collector,
    budget: Budget,
    census: Schedule,
    /// Pages found by the census that wait for their batch to be full.
    open: Batch,
    pace: Duration,
    /// When it was asked last whether anything was lost.
    losses_read: Instant,
    /// When freed memory was returned last.
    returned: Option<Instant>,
    /// Asks storage about files, when that is wanted.
    storage: Option<Background>,
}

impl Work {
    /// Takes over what was started.
    ///
    /// # Errors
    /// When the ring cannot wake this thread.
    pub(super) fn of(live: Live) -> Result<Self, Error> {
        Ok(Self {
            instrument: live.instrument,
            ring: watched_by_tokio(live.ring)?,
            log: live.log,
            collector: live.collector,
            budget: live.budget,
            census: live.census,
            open: Batch::default(),
            pace: TICK,
            losses_read: Instant::now(),
            returned: None,
            storage: live.storage,
        })
    }

    /// Time until the next tick.
    pub(super) const fn pace(&self) -> Duration {
        self.pace
    }

    /// Whether a census has ended.
    pub(super) fn counted(&self) -> bool {
        self.census.counted()
    }

    /// Waits until the ring asks to be drained, and takes a fair share from it.
    pub(super) async fn readable(&mut self) -> Result<(), Error> {
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
    pub(super) fn busy(&mut self) -> bool {
        self.census.at().is_some()
            || (!self.collector.queue.is_idle() && self.budget.allows(Instant::now()))
    }

    /// Flushes and drains, repairs what was lost, hashes what waits.
    pub(super) fn tick(&mut self) -> Result<(), Error> {
        let before = self.collector.measurement.index.generation();
        self.collector
            .barrier(&self.instrument, self.ring.get_mut())?;
        self.collector.name_memcgs();
        self.ask_storage();
        self.log.flush();
        let idle = before == self.collector.measurement.index.generation()
            && self.collector.queue.is_idle()
            && self.census.at().is_none();
        self.pace = if idle {
            (self.pace * 2).min(IDLE_TICK)
        } else {
            TICK
        };
        self.return_memory();
        if self.losses_read.elapsed() >= LOSSES_EVERY {
            self.losses_read = Instant::now();
            self.consider_census()?;
        }
        self.hash_some()
    }

    /// Returns freed memory to the kernel once all is quiet: a census and the first lists
    /// take more, for a moment, than what they leave.
    fn return_memory(&mut self) {
        let due = self
            .returned
            .is_none_or(|returned| returned.elapsed() >= RETURN_EVERY);
        if self.pace == IDLE_TICK && due {
            return_freed_memory();
            self.returned = Some(Instant::now());
        }
    }

    /// Asks storage about some files once all are known, as far as the budget goes.
    fn ask_storage(&mut self) {
        let Some(storage) = &mut self.storage else {
            return;
        };
        if self.census.counted() && self.budget.allows(Instant::now()) {
            let before = thread_time();
            storage.go_on(&mut self.collector.measurement);
            self.budget.spend(thread_time().saturating_sub(before));
        }
    }

    /// One slice of whatever is to be done.
    pub(super) fn step(&mut self) -> Result<(), Error> {
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
    pub(super) fn begin_census(&mut self) -> Result<(), Error> {
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

    /// Hands a view of the present state to `watch`.
    pub(super) fn show(
        &mut self,
        watch: &mut impl FnMut(&LiveView<'_>) -> Go,
    ) -> Result<Go, Error> {
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

//! One exact measurement: hooks first, then the census with its hashing on all workers,
//! then what changed meanwhile, until nothing is left to ask.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Condvar, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use sharestat_ebpf::{counters::Counter, records::FrameRecord};

use super::{
    batch::Batch,
    collector::{Collector, in_order},
    error::Error,
    instrument::{EventRing, Instrument, Options, RING_BYTES},
    kernel_log::KernelLog,
    names::Names,
};
use crate::{model::measurement::Measurement, progress::Progress, seed::Seed};

/// What to measure, and how.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// Directories to restrict the measurement to; none: everything.
    pub paths: Vec<PathBuf>,
    /// Seed of the content hash.
    pub seed: Seed,
    /// Threads; `None`: two, or one on a machine with one CPU.
    pub workers: Option<u32>,
    /// Size of the event ring in bytes; `None`: [`RING_BYTES`].
    pub ring_bytes: Option<u32>,
    /// aya-log level of the BPF programs, 0 (off) to 5.
    pub log_level: u8,
}

/// Frames of one walk job: a few test runs of a fraction of a millisecond each.
const JOB_FRAMES: u64 = 65_536;
/// Soonest that a page is asked for again after it raced, was being read or written, and
/// pause between two looks whether the time has come.
const PAUSE: Duration = Duration::from_millis(25);
/// How long pages that are being read or written are waited for, as long as they get
/// fewer, and when they do not: some are neither, and stay as they are.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const WAIT_IN_VAIN: Duration = Duration::from_millis(150);

enum Job {
    Walk(u64, u64),
    Hash(Batch),
}

enum Done {
    Walked(Vec<FrameRecord>),
    Hashed(Batch, Vec<(u8, u64)>),
    Failed(Error),
}

/// Jobs for the workers: hashing before walking, so that memory stays bounded.
#[derive(Default)]
struct Jobs {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    walks: VecDeque<Job>,
    hashes: VecDeque<Job>,
    closed: bool,
}

impl Jobs {
    fn push(&self, job: Job) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match job {
            Job::Walk(..) => state.walks.push_back(job),
            Job::Hash(..) => state.hashes.push_back(job),
        }
        drop(state);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.changed.notify_all();
    }

    fn take(&self) -> Option<Job> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.hashes.pop_front().or_else(|| state.walks.pop_front()) {
                return Some(job);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(instrument: &Instrument, worker: u32, jobs: &Jobs, done: &mpsc::Sender<Done>) {
    while let Some(job) = jobs.take() {
        let outcome = match job {
            Job::Walk(first, end) => {
                let mut records = Vec::new();
                instrument
                    .walk(worker, first, end, &mut |found| {
                        records.extend_from_slice(found);
                    })
                    .map(|()| {
                        in_order(&mut records);
                        Done::Walked(records)
                    })
            }
            Job::Hash(batch) => {
                let mut results = Vec::with_capacity(512);
                instrument
                    .hash(worker, &batch.requests, &mut results)
                    .map(|()| Done::Hashed(batch, results))
            }
        };
        if done.send(outcome.unwrap_or_else(Done::Failed)).is_err() {
            return;
        }
    }
}

/// Measures once.
///
/// # Errors
/// When the instrument cannot be started, or a program fails; see [`Error::class`].
pub fn scan(options: &ScanOptions, progress: &Progress) -> Result<Measurement, Error> {
    let names = Names::new(&options.paths)?;
    let cpus = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = options
        .workers
        .unwrap_or(if cpus > 1 { 2 } else { 1 })
        .clamp(1, 64);
    let (instrument, mut ring, mut log) = Instrument::start(&Options {
        seed: options.seed,
        workers,
        ring_bytes: options.ring_bytes.unwrap_or(RING_BYTES),
        // One exact look: what leaves meanwhile is not of interest.
        removal_pages_per_second: 0,
        log_level: options.log_level,
    })?;
    let mut collector = Collector::new(options.seed, names, &instrument);
    collector.queue.try_again_after(PAUSE);
    let walked = census(&instrument, workers, &mut collector, &mut ring, progress)?;
    let settled = settle(&instrument, &mut collector, &mut ring, &mut log, progress)?;
    collector.name_inodes(&instrument)?;
    let counters = instrument.counters.read()?;
    // Lost events are repaired by a census; a one-time look has none to follow.
    let misses = instrument.misses();
    let nothing_lost =
        counters.get(Counter::EventsLost) == 0 && misses.iter().all(|(_, misses)| *misses == 0);
    collector.close(&counters, &misses, walked && settled && nothing_lost);
    Ok(collector.measurement)
}

/// Walks all frames and hashes what it finds; false when it was stopped before the end.
fn census(
    instrument: &Instrument,
    workers: u32,
    collector: &mut Collector,
    ring: &mut EventRing,
    progress: &Progress,
) -> Result<bool, Error> {
    collector.begin_census();
    let jobs = Jobs::default();
    let outcome = thread::scope(|scope| {
        let (done, results) = mpsc::channel();
        for worker in 0..workers {
            let (jobs, done) = (&jobs, done.clone());
            scope.spawn(move || work(instrument, worker, jobs, &done));
        }
        drop(done);
        let outcome = direct(
            instrument, workers, collector, ring, progress, &jobs, &results,
        );
        jobs.close();
        outcome
    })?;
    if outcome {
        collector.end_census();
    }
    Ok(outcome)
}

/// Hands out jobs and takes results until all frames are walked and hashed.
fn direct(
    instrument: &Instrument,
    workers: u32,
    collector: &mut Collector,
    ring: &mut EventRing,
    progress: &Progress,
    jobs: &Jobs,
    results: &mpsc::Receiver<Done>,
) -> Result<bool, Error> {
    let mut next = 0;
    let mut walks = 0;
    let mut outstanding = 0_u64;
    let mut open = Batch::default();
    loop {
        while walks < 2 * workers && next < instrument.frames && !progress.stopped() {
            let end = (next + JOB_FRAMES).min(instrument.frames);
            jobs.push(Job::Walk(next, end));
            next = end;
            walks += 1;
            outstanding += 1;
        }
        if outstanding == 0 {
            if open.is_empty() {
                break;
            }
            jobs.push(Job::Hash(std::mem::take(&mut open)));
            outstanding += 1;
        }
        // The workers outlive this loop, so a closed channel means that all panicked.
        let Ok(done) = results.recv() else { break };
        outstanding -= 1;
        match done {
            Done::Walked(records) => {
                walks -= 1;
                progress.add_pages(records.iter().map(|frame| 1_u64 << frame.order).sum());
                collector.seen(instrument, &records, &mut open, &mut |batch| {
                    jobs.push(Job::Hash(batch));
                    outstanding += 1;
                })?;
                collector.drain(instrument, ring)?;
            }
            Done::Hashed(batch, results) => collector.hashed(&batch, &results),
            Done::Failed(error) => return Err(error),
        }
    }
    Ok(!progress.stopped() && next >= instrument.frames)
}

/// Takes in what happened during the census and asks again for what changed; false when
/// it was stopped.
fn settle(
    instrument: &Instrument,
    collector: &mut Collector,
    ring: &mut EventRing,
    log: &mut KernelLog,
    progress: &Progress,
) -> Result<bool, Error> {
    let mut fewest = u64::MAX;
    let (begun, mut fewer_at) = (Instant::now(), Instant::now());
    for round in 0_u32.. {
        collector.barrier(instrument, ring)?;
        while let Some(batch) = collector.next_batch() {
            collector.hash_now(instrument, 0, &batch)?;
            if progress.stopped() {
                return Ok(false);
            }
        }
        log.flush();
        // Two barriers settle the order of events; after that only waiting helps.
        if round >= 2 && collector.queue.is_idle() {
            let waiting = collector.measurement.index.totals().unsettled();
            if waiting < fewest {
                (fewest, fewer_at) = (waiting, Instant::now());
            }
            if !collector.queue.expects_soon()
                || fewer_at.elapsed() >= WAIT_IN_VAIN
                || begun.elapsed() >= LONGEST_WAIT
            {
                break;
            }
            // Naming takes long enough to be a pause.
            let before = Instant::now();
            collector.name_inodes(instrument)?;
            thread::sleep(PAUSE.saturating_sub(before.elapsed()));
        }
    }
    Ok(!progress.stopped())
}

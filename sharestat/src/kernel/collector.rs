//! Applies what the hooks, the census and the hash program say to the content index.
//!
//! In: ring records, frame records, hash results. Out: a [`Measurement`] that is always
//! consistent, and what the queue still wants. One thread owns it.

use std::time::{Duration, Instant};

use sharestat_ebpf::{
    counters::Counter,
    records::{Event, FrameRecord, event_flags, event_kind, frame_flags, removal_cause},
};

use super::{
    batch::Batch,
    counters::Counters,
    error::Error,
    events::{self, Record},
    instrument::{EventRing, Instrument},
    movement::{Distributions, Flow},
    names::Names,
    queue::{Queue, Run},
};
use crate::{
    identity::Resolver,
    model::{
        index::ContentIndex,
        inode::{InodeId, InodeKey},
        measurement::{Engine, HookStatus, Identities, Measurement},
        page::{Observation, SkipReason},
        units::{ContentHash, PageIndex},
    },
    seed::Seed,
};

/// Records taken from the ring before something else gets its turn.
const DRAIN: usize = 16_384;

/// The collector.
pub(super) struct Collector {
    pub(super) measurement: Measurement,
    pub(super) distributions: Distributions,
    pub(super) flow: Flow,
    pub(super) queue: Queue,
    names: Names,
    resolver: Resolver,
    started: Instant,
    /// Inodes seen since names were last asked for.
    unnamed: Vec<(InodeId, InodeKey)>,
    results: Vec<(u8, u64)>,
}

impl Collector {
    pub(super) fn new(seed: Seed, names: Names, instrument: &Instrument) -> Self {
        let zero =
            sharestat_ebpf::xxh64::xxh64_page(&[0; sharestat_ebpf::PAGE_WORDS], seed.value());
        let measurement = Measurement {
            engine: Engine::Bpf,
            started_at: jiff::Timestamp::now(),
            duration: Duration::ZERO,
            seed_id: seed.id(),
            hooks: instrument
                .hooks
                .iter()
                .map(|hook| HookStatus {
                    event: hook.event.to_owned(),
                    attached: hook.attached.describe(),
                    lost: 0,
                    loss: hook.lost_without().to_owned(),
                    optional: hook.is_optional(),
                })
                .collect(),
            events_lost: 0,
            complete: false,
            index: ContentIndex::new(ContentHash(zero)),
            identity: Identities::default(),
            notes: names.notes(),
        };
        Self {
            measurement,
            distributions: Distributions::empty(),
            flow: Flow::default(),
            queue: Queue::default(),
            names,
            resolver: Resolver::host(),
            started: Instant::now(),
            unnamed: Vec::new(),
            results: Vec::new(),
        }
    }

    /// Milliseconds since the start, the collector's clock.
    pub(super) fn now_ms(&self) -> u32 {
        u32::try_from(self.started.elapsed().as_millis()).unwrap_or(u32::MAX)
    }

    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The number of an inode in the index; `None` when it is outside the scope.
    fn place(&mut self, key: InodeKey, tmpfs: bool) -> Option<InodeId> {
        if self.names.wanted(&key) != Some(true) {
            return None;
        }
        if let Some(known) = self.measurement.index.find(&key) {
            return Some(known);
        }
        let id = self.measurement.index.intern(key, !tmpfs);
        self.unnamed.push((id, key));
        Some(id)
    }

    /// Starts a census: pages it does not see, and no event speaks of, become doubtful.
    pub(super) fn begin_census(&mut self) {
        self.names.refresh();
        self.measurement.index.begin_census();
    }

    /// Takes in what a part of the census found; the pages that want hashing are handed
    /// to `full` in batches that carry the folio's address.
    pub(super) fn seen(
        &mut self,
        instrument: &Instrument,
        frames: &[FrameRecord],
        open: &mut Batch,
        full: &mut dyn FnMut(Batch),
    ) -> Result<(), Error> {
        if self.names.restricted() {
            self.decide(instrument, frames.iter().map(InodeKey::from))?;
        }
        let now = self.now_ms();
        // Neighbours in memory are often of one file: one look-up for all of them.
        let mut last = None;
        for frame in frames {
            let key = InodeKey::from(frame);
            let known = last.filter(|(of, _)| *of == key).map(|(_, id)| id);
            let tmpfs = frame.flags & frame_flags::SWAPBACKED != 0;
            let Some(id) = known.or_else(|| self.place(key, tmpfs)) else {
                continue;
            };
            last = Some((key, id));
            let first = PageIndex(frame.index);
            let pages = 1_u64 << frame.order;
            self.measurement.index.mark_seen(id, first, pages, now);
            if tmpfs || frame.flags & frame_flags::HASHED == 0 {
                // Added or dirtied since it was hashed, and the event was lost; or
                // perhaps rewritten, which on tmpfs no event tells.
                self.measurement.index.doubt(id, first, pages);
            }
            self.measurement.index.claim(id, first, pages, &mut |page| {
                open.push(id, &key, page, frame.folio);
                if open.room() == 0 {
                    full(std::mem::take(open));
                }
            });
        }
        Ok(())
    }

    /// Ends a census; pages that it left in doubt are queued to be probed.
    pub(super) fn end_census(&mut self) {
        let now = self.now_ms();
        let queue = &mut self.queue;
        self.measurement.index.end_census(&mut |inode, page| {
            queue.push(Run {
                inode,
                first: page,
                pages: 1,
                since_ms: now,
            });
        });
    }

    /// Asks the identity program about inodes that the scope has not decided on.
    fn decide(
        &mut self,
        instrument: &Instrument,
        keys: impl Iterator<Item = InodeKey>,
    ) -> Result<(), Error> {
        let mut unknown: Vec<InodeKey> = keys
            .filter(|key| self.names.wanted(key).is_none())
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        self.names.decide(instrument, &unknown)
    }

    /// Takes waiting records from the ring; true when it was emptied.
    pub(super) fn drain(
        &mut self,
        instrument: &Instrument,
        ring: &mut EventRing,
    ) -> Result<bool, Error> {
        let mut records = Vec::new();
        let emptied = events::drain(ring, DRAIN, &mut |record| records.push(record));
        if self.names.restricted() {
            let keys = records.iter().filter_map(|record| match record {
                Record::Event(event) => Some(InodeKey::from(event)),
                Record::Hashed(_) => None,
            });
            let keys: Vec<InodeKey> = keys.collect();
            self.decide(instrument, keys.into_iter())?;
        }
        for record in &records {
            self.apply(record);
        }
        Ok(emptied)
    }

    fn apply(&mut self, record: &Record) {
        match record {
            Record::Event(event) => self.apply_event(event),
            Record::Hashed(hashed) => {
                self.flow.hashed_at_removal += u64::from(hashed.event.pages);
            }
        }
    }

    fn apply_event(&mut self, event: &Event) {
        let pages = u64::from(event.pages);
        match (event.kind, event.cause) {
            (event_kind::ADDED, _) => self.flow.added += pages,
            (event_kind::REMOVED, removal_cause::RECLAIM) => self.flow.reclaimed += pages,
            (event_kind::REMOVED, removal_cause::TRUNCATE) => self.flow.truncated += pages,
            (event_kind::REMOVED, _) => self.flow.removed_unknown += pages,
            _ => self.flow.dirtied += pages,
        }
        let key = InodeKey::from(event);
        let Some(id) = self.place(key, event.flags & event_flags::TMPFS != 0) else {
            return;
        };
        let first = PageIndex(event.index);
        let now = self.now_ms();
        match event.kind {
            event_kind::ADDED => {
                self.measurement.index.add(id, first, pages, now);
                self.queue.push(Run {
                    inode: id,
                    first,
                    pages,
                    since_ms: now,
                });
            }
            event_kind::REMOVED => {
                let reclaimed = event.cause == removal_cause::RECLAIM;
                let (flow, residency) = (
                    &mut self.flow,
                    &mut self.distributions.duplicate_residency_ms,
                );
                self.measurement
                    .index
                    .remove(id, first, pages, now, &mut |removed| {
                        if removed.hash.is_some() && removed.copies_left > 0 {
                            residency.saturating_record(u64::from(removed.resident_ms).max(1));
                            flow.reclaimed_duplicates += u64::from(reclaimed);
                        }
                    });
                // Truncation zeroes the rest of the page before the cut without any event
                // (truncate_inode_partial_folio, mm/truncate.c).
                let (from, pages) = match event.index.checked_sub(1) {
                    Some(before) if !reclaimed => {
                        let before = PageIndex(before);
                        self.measurement.index.doubt(id, before, 1);
                        (before, pages + 1)
                    }
                    _ => (first, pages),
                };
                let first = from;
                // Contested pages became pending; asking costs little where none did.
                self.queue.push(Run {
                    inode: id,
                    first,
                    pages,
                    since_ms: now,
                });
            }
            _ => {
                self.measurement.index.dirty(id, first, pages);
                for page in 0..pages {
                    self.queue
                        .retry(id, first.offset(page), SkipReason::Dirty, now);
                }
            }
        }
    }

    /// The next batch of pages to hash, from the queue.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        let now = self.now_ms();
        let mut batch = Batch::default();
        while batch.room() != 0 {
            let Some(run) = self.queue.pop(now) else {
                break;
            };
            let take = run.pages.min(batch.room());
            if take < run.pages {
                self.queue.push_front(Run {
                    first: run.first.offset(take),
                    pages: run.pages - take,
                    ..run
                });
            }
            let Some(key) = self.measurement.index.key(run.inode).copied() else {
                continue;
            };
            let ages = &mut self.distributions.age_at_hash_ms;
            self.measurement
                .index
                .claim(run.inode, run.first, take, &mut |page| {
                    batch.push(run.inode, &key, page, 0);
                    ages.saturating_record(u64::from(now.saturating_sub(run.since_ms)).max(1));
                });
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Applies the results of a batch; pages that may succeed later are queued again.
    pub(super) fn hashed(&mut self, batch: &Batch, results: &[(u8, u64)]) {
        let now = self.now_ms();
        for (inode, first, seen) in batch.runs(results) {
            if let [Observation::Skipped(reason)] = seen[..] {
                if self.measurement.index.observe(inode, first, seen[0]) {
                    self.queue.retry(inode, first, reason, now);
                }
            } else {
                self.measurement.index.observe_run(inode, first, &seen);
            }
        }
    }

    /// Takes a batch back that could not be hashed now: its pages wait in the queue.
    pub(super) fn give_back(&mut self, batch: &Batch) {
        let now = self.now_ms();
        for (inode, page) in batch.pages() {
            let waits = Observation::Skipped(SkipReason::Budget);
            if self.measurement.index.observe(inode, page, waits) {
                self.queue.push(Run {
                    inode,
                    first: page,
                    pages: 1,
                    since_ms: now,
                });
            }
        }
    }

    /// Hashes one batch on this thread as `worker`.
    pub(super) fn hash_now(
        &mut self,
        instrument: &Instrument,
        worker: u32,
        batch: &Batch,
    ) -> Result<(), Error> {
        let mut results = std::mem::take(&mut self.results);
        results.clear();
        let begun = Instant::now();
        instrument.hash(worker, &batch.requests, &mut results)?;
        let pages = results.len().max(1) as u128;
        let each = u64::try_from(begun.elapsed().as_nanos() / pages).unwrap_or(u64::MAX);
        self.distributions.hash_ns.saturating_record(each.max(1));
        self.hashed(batch, &results);
        self.results = results;
        Ok(())
    }

    /// Flushes the hooks' pending runs and takes everything from the ring: after this,
    /// what happened before is known.
    pub(super) fn barrier(
        &mut self,
        instrument: &Instrument,
        ring: &mut EventRing,
    ) -> Result<(), Error> {
        instrument.flush_runs()?;
        while !self.drain(instrument, ring)? {}
        self.measurement.index.settle();
        Ok(())
    }

    /// Names the inodes that were seen since the last call, and forgets empty ones.
    pub(super) fn name_inodes(&mut self, instrument: &Instrument) -> Result<(), Error> {
        let Self {
            measurement,
            names,
            resolver,
            unnamed,
            ..
        } = self;
        let identity = &mut measurement.identity;
        measurement.index.retire_empty(&mut |inode| {
            identity.files.remove(&inode);
        });
        let index = &measurement.index;
        unnamed.retain(|(inode, key)| index.key(*inode) == Some(key));
        names.name(instrument, unnamed, &mut measurement.identity)?;
        unnamed.clear();
        resolver.resolve(&mut measurement.identity);
        Ok(())
    }

    /// Notes how long it took, what was lost, and whether it is whole.
    pub(super) fn close(&mut self, counters: &Counters, misses: &[(String, u64)], complete: bool) {
        let measurement = &mut self.measurement;
        measurement.duration = self.started.elapsed();
        measurement.events_lost = counters.get(Counter::EventsLost);
        measurement.complete = complete && self.names.complete();
        for hook in &mut measurement.hooks {
            hook.lost = misses
                .iter()
                .filter(|(event, _)| *event == hook.event)
                .map(|(_, lost)| lost)
                .sum();
        }
    }
}

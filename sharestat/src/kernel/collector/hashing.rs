//! Which pages are hashed next, and what becomes of the results.

use std::time::Instant;

use super::Collector;
use crate::{
    kernel::{batch::Batch, error::Error, instrument::Instrument, queue::Run},
    model::page::{Observation, SkipReason},
};

impl Collector {
    /// The next batch of pages to hash, from the queue.
    pub(in crate::kernel) fn next_batch(&mut self) -> Option<Batch> {
        let now = self.now_ms();
        let mut batch = Batch::default();
        while batch.room() != 0 {
            let Some(run) = self.queue.pop(now) else {
                break;
            };
            if batch.is_empty() {
                batch.tries = run.tries;
            } else if batch.tries != run.tries {
                self.queue.push_front(run);
                break;
            }
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
    pub(in crate::kernel) fn hashed(&mut self, batch: &Batch, results: &[(u8, u64)]) {
        let now = self.now_ms();
        let tries = batch.tries.saturating_add(1);
        for (inode, first, seen) in batch.runs(results) {
            if let [Observation::Skipped(reason)] = seen[..] {
                if self.measurement.index.observe(inode, first, seen[0]) {
                    self.queue.retry(inode, first, reason, now, tries);
                }
            } else {
                self.measurement.index.observe_run(inode, first, &seen);
            }
        }
    }

    /// Takes a batch back that could not be hashed now: its pages wait in the queue.
    pub(in crate::kernel) fn give_back(&mut self, batch: &Batch) {
        let now = self.now_ms();
        for (inode, page) in batch.pages() {
            let waits = Observation::Skipped(SkipReason::Budget);
            if self.measurement.index.observe(inode, page, waits) {
                self.queue.push(Run {
                    inode,
                    first: page,
                    pages: 1,
                    since_ms: now,
                    tries: batch.tries,
                });
            }
        }
    }

    /// Hashes one batch on this thread as `worker`.
    pub(in crate::kernel) fn hash_now(
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
}

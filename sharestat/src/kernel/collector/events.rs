//! What the hooks told: records of the ring in, changes of the index and of the queue out.

use sharestat_ebpf::records::{Event, HashedEvent, event_flags, event_kind, removal_cause};

use super::Collector;
use crate::{
    kernel::{
        error::Error,
        events::{self, Record},
        instrument::{EventRing, Instrument},
        queue::Run,
    },
    model::{
        index::RemovedPage,
        inode::InodeKey,
        page::SkipReason,
        units::{ContentHash, PageIndex},
    },
};

/// Records taken from the ring before something else gets its turn.
const DRAIN: usize = 16_384;

impl Collector {
    /// Takes waiting records from the ring; true when it was emptied.
    pub(in crate::kernel) fn drain(
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
                self.apply_leaving(hashed);
            }
        }
    }

    /// Pages that leave before their turn to be hashed came: their content is known for the
    /// moment that they are still there.
    fn apply_leaving(&mut self, hashed: &HashedEvent) {
        let index = &mut self.measurement.index;
        let Some(inode) = index.find(&InodeKey::from(&hashed.event)) else {
            return;
        };
        let contents = hashed.hashes.map(ContentHash);
        let known = contents.len().min(hashed.event.pages as usize);
        index.observe_leaving(inode, PageIndex(hashed.event.index), &contents[..known]);
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
                self.charge(id, first, pages, event.memcg);
                self.queue.push(Run {
                    inode: id,
                    first,
                    pages,
                    since_ms: now,
                    tries: 0,
                });
            }
            event_kind::REMOVED => {
                let reclaimed = event.cause == removal_cause::RECLAIM;
                let (flow, residency) = (
                    &mut self.flow,
                    &mut self.distributions.duplicate_residency_ms,
                );
                let mut left = |removed: RemovedPage| {
                    if removed.hash.is_some() && removed.copies_left > 0 {
                        residency.saturating_record(u64::from(removed.resident_ms).max(1));
                        flow.reclaimed_duplicates += u64::from(reclaimed);
                    }
                };
                let index = &mut self.measurement.index;
                if reclaimed {
                    index.reclaim(id, first, pages, now, &mut left);
                } else {
                    index.remove(id, first, pages, now, &mut left);
                }
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
                    tries: 0,
                });
            }
            _ => {
                self.measurement.index.dirty(id, first, pages);
                for page in 0..pages {
                    self.queue
                        .retry(id, first.offset(page), SkipReason::Dirty, now, 1);
                }
            }
        }
    }
}

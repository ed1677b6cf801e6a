//! Applies what the hooks, the census and the hash program say to the content index.
//!
//! In: ring records, frame records, hash results. Out: a [`Measurement`] that is always
//! consistent, and what the queue still wants. One thread owns it.

mod events;
mod hashing;
mod sightings;

use std::time::{Duration, Instant};

use sharestat_ebpf::{counters::Counter, records::memcg_id};

pub(super) use self::sightings::in_order;
use super::{
    counters::Counters,
    error::Error,
    instrument::{EventRing, Instrument},
    movement::{Distributions, Flow},
    names::Names,
    queue::Queue,
};
use crate::{
    identity::{Resolver, memcgs::MemcgNames},
    model::{
        avoidable::ByImage,
        charges::MemcgId,
        index::ContentIndex,
        inode::{InodeId, InodeKey},
        measurement::{Engine, HookStatus, Identities, Measurement},
        units::{ContentHash, PageIndex},
    },
    seed::Seed,
};

/// The collector.
pub(super) struct Collector {
    pub(super) measurement: Measurement,
    pub(super) distributions: Distributions,
    pub(super) flow: Flow,
    pub(super) queue: Queue,
    names: Names,
    resolver: Resolver,
    memcgs: MemcgNames,
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
            avoidable: None,
            notes: names.notes(),
        };
        Self {
            measurement,
            distributions: Distributions::empty(),
            flow: Flow::default(),
            queue: Queue::default(),
            names,
            resolver: Resolver::host(),
            memcgs: MemcgNames::host(),
            started: Instant::now(),
            unnamed: Vec::new(),
            results: Vec::new(),
        }
    }

    /// Counts avoidable reads and reclaim: it watches for a time.
    pub(super) fn watch(&mut self) {
        self.measurement.avoidable = Some(ByImage::default());
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
        // Those that are forgotten below lose their names.
        self.measurement.attribute_avoidable();
        let Self {
            measurement,
            names,
            resolver,
            memcgs,
            unnamed,
            ..
        } = self;
        let identity = &mut measurement.identity;
        measurement.index.retire_empty(&mut |inode| {
            identity.files.remove(&inode);
            identity.shared.remove(&inode);
        });
        let index = &measurement.index;
        unnamed.retain(|(inode, key)| index.key(*inode) == Some(key));
        names.name(instrument, unnamed, measurement)?;
        unnamed.clear();
        resolver.resolve(&mut measurement.identity);
        memcgs.name(measurement.index.memcgs(), &mut measurement.identity);
        measurement.attribute_avoidable();
        Ok(())
    }

    /// Names memory cgroups that are new: soon, because they may be gone at the next view.
    pub(super) fn name_memcgs(&mut self) {
        let Measurement {
            index, identity, ..
        } = &mut self.measurement;
        if self.memcgs.wants(index.memcgs()) {
            self.memcgs.name(index.memcgs(), identity);
        }
    }

    /// These pages are resident and charged to a memory cgroup, when that is known.
    fn charge(&mut self, inode: InodeId, first: PageIndex, pages: u64, memcg: u64) {
        if memcg != memcg_id::UNKNOWN {
            let index = &mut self.measurement.index;
            index.charge(inode, first, pages, MemcgId(memcg));
        }
    }

    /// Notes how long it took, what was lost, and whether it is whole.
    pub(super) fn close(&mut self, counters: &Counters, misses: &[(String, u64)], complete: bool) {
        let measurement = &mut self.measurement;
        measurement.duration = self.started.elapsed();
        measurement.events_lost = counters.get(Counter::EventsLost);
        measurement.complete = complete && self.names.complete();
        let mut notes = self.memcgs.notes();
        notes.extend(self.names.late_notes());
        if measurement.index.totals().resident > 0 && measurement.index.memcgs().is_empty() {
            notes.push(
                "this kernel does not tell which memory cgroup pages are charged to; 'sharestat doctor' says why, under 'memcg fields'".to_owned(),
            );
        }
        let notes = notes.into_iter();
        let new: Vec<String> = notes
            .filter(|note| !measurement.notes.contains(note))
            .collect();
        measurement.notes.extend(new);
        for hook in &mut measurement.hooks {
            hook.lost = misses
                .iter()
                .filter(|(event, _)| *event == hook.event)
                .map(|(_, lost)| lost)
                .sum();
        }
    }
}

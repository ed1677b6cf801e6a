//! Single runs of the programs on request, for `benches/kernel.rs` and nothing else.
//! Internal: no part of the interface of this crate.

use sharestat_ebpf::records::{FrameRecord, HashRequest};

use super::{
    error::Error,
    instrument::{EventRing, Instrument, Options},
    kernel_log::KernelLog,
};
use crate::seed::Seed;

/// A started instrument whose events nobody reads: they are lost, and counted as lost.
pub struct Bench {
    instrument: Instrument,
    _ring: EventRing,
    _log: KernelLog,
}

impl Bench {
    /// Starts the instrument for `workers` threads.
    ///
    /// # Errors
    /// As [`scan`](super::scan()).
    pub fn start(workers: u32) -> Result<Self, Error> {
        let (instrument, ring, log) = Instrument::start(&Options {
            seed: Seed::fixed(0),
            workers,
            ring_bytes: 4096,
            removal_pages_per_second: 0,
            log_level: 0,
        })?;
        Ok(Self {
            instrument,
            _ring: ring,
            _log: log,
        })
    }

    /// One past the highest page frame.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.instrument.frames
    }

    /// Walks frames from `first` to `end` as `worker`.
    ///
    /// # Errors
    /// When the program fails.
    pub fn walk(
        &self,
        worker: u32,
        first: u64,
        end: u64,
        found: &mut dyn FnMut(&[FrameRecord]),
    ) -> Result<(), Error> {
        self.instrument.walk(worker, first, end, found)
    }

    /// Hashes at most 512 pages as `worker`; appends (status, hash) of each.
    ///
    /// # Errors
    /// When the program fails.
    pub fn hash(
        &self,
        worker: u32,
        requests: &[HashRequest],
        results: &mut Vec<(u8, u64)>,
    ) -> Result<(), Error> {
        self.instrument.hash(worker, requests, results)
    }
}

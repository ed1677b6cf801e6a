//! A kprobe where page faults map pages, with counts: whether the file of the vma is the
//! file of the folio. In: the address of the function. Out: counts by filesystem.

use std::{collections::BTreeMap, os::fd::OwnedFd};

use aya::{
    Ebpf, Pod,
    maps::{Array, MapData, PerCpuHashMap},
};
use sharestat_ebpf::records::FaultKey;

use super::{error::Error, kprobes, object, perf_event};

/// The program that runs at each.
const PROGRAM: &str = "fault_hit";

/// Functions that set the page table entries of a page fault (mm/memory.c), newest first:
/// since 6.6, and before. Both take the `vm_fault` first and the folio or page second.
pub const FUNCTIONS: [&str; 2] = ["set_pte_range", "do_set_pte"];

/// A key that is exchanged through a map.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Plain(FaultKey);

// SAFETY: integers without padding.
unsafe impl Pod for Plain {}

/// The probe, counting until dropped.
pub struct FaultProbe {
    _ebpf: Ebpf,
    _event: OwnedFd,
    counts: PerCpuHashMap<MapData, Plain, u64>,
}

impl FaultProbe {
    /// Sets the probe at `address`, of one of [`FUNCTIONS`]. Only faults of `process`
    /// count, where one is given.
    ///
    /// # Errors
    /// When the kernel has no kprobes, refuses this one, or a privilege is missing.
    pub fn start(address: u64, process: Option<u32>) -> Result<Self, Error> {
        let (kind, mut ebpf) = kprobes::open(1)?;
        let counts = PerCpuHashMap::try_from(object::take_map(&mut ebpf, "FAULTS")?)
            .map_err(|error| object::map_error("FAULTS", error))?;
        let mut only: Array<MapData, u32> =
            Array::try_from(object::take_map(&mut ebpf, "FAULT_PROCESS")?)
                .map_err(|error| object::map_error("FAULT_PROCESS", error))?;
        only.set(0, process.unwrap_or(0), 0)
            .map_err(|error| object::map_error("FAULT_PROCESS", error))?;
        let program = kprobes::program(&mut ebpf, PROGRAM)?;
        let event = perf_event::kprobe(kind, address, program)
            .map_err(|source| Error::KprobeRefused { source })?;
        Ok(Self {
            _ebpf: ebpf,
            _event: event,
            counts,
        })
    }

    /// What was counted so far.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn counts(&self) -> Result<BTreeMap<FaultKey, u64>, Error> {
        self.counts
            .iter()
            .map(|entry| {
                let (key, values) = entry.map_err(|error| object::map_error("FAULTS", error))?;
                Ok((key.0, values.iter().sum()))
            })
            .collect()
    }
}

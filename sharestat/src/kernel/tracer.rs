//! Kprobes at given instructions, with counts. In: addresses, and where each instruction
//! has its folio. Out: how often each ran, and with folios of what kind.

use std::{collections::HashMap, io, os::fd::OwnedFd, path::Path};

use aya::{
    Ebpf, Pod,
    maps::{self, MapData, PerCpuHashMap},
};
use sharestat_ebpf::records::{TracedPlace, TracedSite};

use super::{error::Error, kprobes, object, perf_event};

/// The program that runs at each instruction.
const PROGRAM: &str = "trace_hit";

/// A kprobe leaves the instruction pointer one byte behind its address, whether it is a
/// breakpoint, a jump or a call (`kprobe_int3_handler`, `optimized_callback`).
const BEHIND: u64 = 1;

/// A record that is exchanged through maps.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Plain<T>(T);

// SAFETY: integers without padding.
unsafe impl Pod for Plain<TracedPlace> {}
// SAFETY: as above.
unsafe impl Pod for Plain<TracedSite> {}

/// An instruction to trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its address in the running kernel.
    pub address: u64,
    /// Where it has its folio.
    pub place: TracedPlace,
}

/// The probes, counting until dropped.
pub struct Tracer {
    _ebpf: Ebpf,
    _events: Vec<OwnedFd>,
    counts: PerCpuHashMap<MapData, u64, Plain<TracedSite>>,
}

impl Tracer {
    /// Sets the probes; also returns those that the kernel refused, and why. Only files on
    /// `device` (kernel encoding) count as such, where one is given.
    ///
    /// # Errors
    /// When the kernel has no kprobes, or a privilege is missing.
    pub fn start(
        probes: &[Probe],
        device: Option<u32>,
    ) -> Result<(Self, Vec<(Probe, String)>), Error> {
        let capacity = u32::try_from(probes.len()).unwrap_or(u32::MAX);
        let (kind, mut ebpf) = kprobes::open(capacity)?;
        let failed = object::map_error;
        let mut places: maps::HashMap<MapData, u64, Plain<TracedPlace>> =
            maps::HashMap::try_from(object::take_map(&mut ebpf, "TRACED")?)
                .map_err(|error| failed("TRACED", error))?;
        let mut counts: PerCpuHashMap<MapData, u64, Plain<TracedSite>> =
            PerCpuHashMap::try_from(object::take_map(&mut ebpf, "TRACES")?)
                .map_err(|error| failed("TRACES", error))?;
        let mut only: maps::Array<MapData, u32> =
            maps::Array::try_from(object::take_map(&mut ebpf, "TRACED_DEVICE")?)
                .map_err(|error| failed("TRACED_DEVICE", error))?;
        only.set(0, device.unwrap_or(0), 0)
            .map_err(|error| failed("TRACED_DEVICE", error))?;
        let cpus = aya::util::nr_cpus().map_err(|(path, source)| Error::Read {
            path: Path::new(path).to_owned(),
            source,
        })?;
        for probe in probes {
            let ip = probe.address + BEHIND;
            places
                .insert(ip, Plain(probe.place), 0)
                .map_err(|error| failed("TRACED", error))?;
            let zeros = maps::PerCpuValues::try_from(vec![Plain(TracedSite::default()); cpus])
                .map_err(|source| Error::Map {
                    map: "TRACES",
                    source,
                })?;
            counts
                .insert(ip, zeros, 0)
                .map_err(|error| failed("TRACES", error))?;
        }
        let descriptor = kprobes::program(&mut ebpf, PROGRAM)?;
        let mut events = Vec::with_capacity(probes.len());
        let mut refused = Vec::new();
        for probe in probes {
            match perf_event::kprobe(kind, probe.address, descriptor) {
                Ok(event) => events.push(event),
                Err(error) => refused.push((*probe, error.to_string())),
            }
        }
        let tracer = Self {
            _ebpf: ebpf,
            _events: events,
            counts,
        };
        Ok((tracer, refused))
    }

    /// What was counted so far, by address.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn counts(&self) -> Result<HashMap<u64, TracedSite>, Error> {
        let mut sums = HashMap::new();
        for entry in &self.counts {
            let (ip, values) = entry.map_err(|error| Error::Map {
                map: "TRACES",
                source: io::Error::other(error),
            })?;
            let sum = values
                .iter()
                .fold(TracedSite::default(), |sum, value| TracedSite {
                    hits: sum.hits + value.0.hits,
                    files: sum.files + value.0.files,
                    shareable: sum.shareable + value.0.shareable,
                });
            sums.insert(ip - BEHIND, sum);
        }
        Ok(sums)
    }
}

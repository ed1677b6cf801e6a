//! Kprobes at given instructions, with counts. In: addresses, and where each instruction
//! has its folio. Out: how often each ran, and with folios of what kind.

use std::{
    collections::HashMap,
    fs, io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use aya::{
    Ebpf, Pod,
    maps::{self, MapData, PerCpuHashMap},
    programs::KProbe,
};
use sharestat_ebpf::records::{TracedPlace, TracedSite};

use super::{
    btf::KernelTypes,
    capabilities,
    error::Error,
    layout::layout_of,
    object::{self, Parameters},
    perf_event::{self, Whose},
};

/// The program that runs at each instruction.
const PROGRAM: &str = "trace_hit";

/// Where the kernel says which perf event type kprobes are.
const TYPE: &str = "/sys/bus/event_source/devices/kprobe/type";

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
    /// Sets the probes; also returns those that the kernel refused, and why.
    ///
    /// # Errors
    /// When the kernel has no kprobes, or a privilege is missing.
    pub fn start(probes: &[Probe]) -> Result<(Self, Vec<(Probe, String)>), Error> {
        if !object::is_embedded() {
            return Err(Error::WithoutBpf);
        }
        let kind = fs::read_to_string(TYPE)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or(Error::NoKprobes)?;
        capabilities::require()?;
        let mut ebpf = object::open(&Parameters {
            layout: layout_of(&KernelTypes::of_kernel()?)?,
            memory_map_base: 0,
            direct_map_base: 0,
            seed: 0,
            removal_pages_per_second: 0,
            ring_bytes: 4096,
            hit_ring_bytes: 4096,
            traced: u32::try_from(probes.len()).unwrap_or(u32::MAX).max(1),
            workers: 1,
            frames: 0,
            log_level: 0,
        })?;
        let failed = |map: &'static str, error: maps::MapError| Error::Map {
            map,
            source: io::Error::other(error),
        };
        let mut places: maps::HashMap<MapData, u64, Plain<TracedPlace>> =
            maps::HashMap::try_from(take(&mut ebpf, "TRACED")?)
                .map_err(|error| failed("TRACED", error))?;
        let mut counts: PerCpuHashMap<MapData, u64, Plain<TracedSite>> =
            PerCpuHashMap::try_from(take(&mut ebpf, "TRACES")?)
                .map_err(|error| failed("TRACES", error))?;
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
        let program: &mut KProbe = ebpf
            .program_mut(PROGRAM)
            .ok_or(Error::Missing { name: PROGRAM })?
            .try_into()
            .map_err(|source| object::program_error(PROGRAM, &source))?;
        program
            .load()
            .map_err(|source| object::program_error(PROGRAM, &source))?;
        let descriptor = program
            .fd()
            .map_err(|source| object::program_error(PROGRAM, &source))?
            .as_fd();
        let mut events = Vec::with_capacity(probes.len());
        let mut refused = Vec::new();
        for probe in probes {
            match open(kind, probe.address, descriptor) {
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
                    shareable: sum.shareable + value.0.shareable,
                });
            sums.insert(ip - BEHIND, sum);
        }
        Ok(sums)
    }
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<maps::Map, Error> {
    ebpf.take_map(name).ok_or(Error::Missing { name })
}

/// A kprobe at `address`: by address, because names are not unique. An event on one CPU,
/// whose program runs on all (`kprobe_perf_func` looks at the program, not at the CPU).
fn open(kind: u32, address: u64, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attributes = perf_event::attributes(kind);
    // No function name (`kprobe_func`), but an address (`kprobe_addr`).
    attributes.__bindgen_anon_4.config2 = address;
    let event = perf_event::open(&attributes, Whose::AllOn(0))?;
    perf_event::run_program(&event, program)?;
    perf_event::enable(&event)?;
    Ok(event)
}

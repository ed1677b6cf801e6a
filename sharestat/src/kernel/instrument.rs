//! The instrument: the loaded BPF object, calibrated and proven, with its hooks and the
//! programs it runs on request.

use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::maps::{MapData, RingBuf};
use sharestat_ebpf::records::{FrameRecord, HashRequest, IDENTITY_BATCH, Identity};

use super::{
    btf::KernelTypes,
    counters::CounterMaps,
    error::Error,
    kernel_log::KernelLog,
    layout::layout_of,
    object::{self, Parameters},
    probes::{self, Hook},
    proven::Proven,
    shared_array::SharedArray,
};
use crate::seed::Seed;

/// How to start the instrument.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of the content hash.
    pub seed: Seed,
    /// Threads that will run programs at once.
    pub workers: u32,
    /// Size of the event ring in bytes, rounded up to a power of two of at least a page.
    pub ring_bytes: u32,
    /// Pages per second and CPU that the removal hooks may hash.
    pub removal_pages_per_second: u64,
    /// aya-log level of the BPF programs, 0 (off) to 5.
    pub log_level: u8,
}

/// Default size of the event ring: 131,072 runs of pages. It is mapped twice, and so costs
/// twice its size in resident memory.
pub const RING_BYTES: u32 = 8 << 20;

/// The loaded, calibrated, proven object.
pub struct Instrument {
    proven: Proven,
    identity_work: SharedArray<Identity>,
    pub(super) counters: CounterMaps,
    pub(super) hooks: Vec<Hook>,
    pub(super) frames: u64,
    cpus: Vec<u32>,
}

/// Which inode is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) inode: u64,
    pub(super) ino: u64,
    pub(super) dev: u32,
    pub(super) generation: u32,
}

/// The consumer's end of the event ring.
pub(super) type EventRing = RingBuf<MapData>;

/// Programs that are only run on request.
pub(super) const ON_REQUEST: [&str; 4] = ["hash_pages", "walk_frames", "identify", "flush_runs"];

impl Instrument {
    /// Loads, calibrates, proves, attaches.
    ///
    /// # Errors
    /// When a privilege, a kernel feature or the proof fails; see [`Error`].
    pub(super) fn start(options: &Options) -> Result<(Self, EventRing, KernelLog), Error> {
        Proven::require()?;
        let types = KernelTypes::of_kernel()?;
        let layout = layout_of(&types)?;
        let frames = object::frames()?;
        let ring_bytes = options.ring_bytes.clamp(4096, 1 << 30).next_power_of_two();
        let parameters = Parameters {
            layout,
            memory_map_base: 0,
            direct_map_base: 0,
            seed: options.seed.value(),
            removal_pages_per_second: options.removal_pages_per_second,
            ring_bytes,
            hit_ring_bytes: 4096,
            traced: 1,
            workers: options.workers.max(1),
            frames,
            log_level: options.log_level,
        };
        let (mut proven, log) = Proven::start(parameters, &ON_REQUEST)?;
        let ebpf = &mut proven.ebpf;
        let identity_work = SharedArray::map(ebpf, "IDENTITY_WORK", IDENTITY_BATCH)?;
        let counters = CounterMaps::take(ebpf)?;
        let hooks = probes::attach_all(ebpf, &types)?;
        let map = ebpf
            .take_map("EVENTS")
            .ok_or(Error::Missing { name: "EVENTS" })?;
        let ring = RingBuf::try_from(map).map_err(|error| Error::Map {
            map: "EVENTS",
            source: std::io::Error::other(error),
        })?;
        let cpus = aya::util::online_cpus().map_err(|(path, source)| Error::Read {
            path: path.into(),
            source,
        })?;
        let instrument = Self {
            proven,
            identity_work,
            counters,
            hooks,
            frames,
            cpus,
        };
        Ok((instrument, ring, log))
    }

    /// As [`Proven::walk`].
    pub(super) fn walk(
        &self,
        worker: u32,
        first: u64,
        end: u64,
        found: &mut dyn FnMut(&[FrameRecord]),
    ) -> Result<(), Error> {
        self.proven.walk(worker, first, end, found)
    }

    /// As [`Proven::hash`].
    pub(super) fn hash(
        &self,
        worker: u32,
        requests: &[HashRequest],
        results: &mut Vec<(u8, u64)>,
    ) -> Result<(), Error> {
        self.proven.hash(worker, requests, results)
    }

    /// Describes the inodes that `asked` name, calling back with each slot in order.
    ///
    /// Not for several threads at once: there is one set of slots.
    pub(super) fn identify(
        &self,
        asked: &[Question],
        told: &mut dyn FnMut(usize, &Identity),
    ) -> Result<(), Error> {
        for (number, chunk) in asked.chunks(IDENTITY_BATCH).enumerate() {
            for (slot, ask) in chunk.iter().enumerate() {
                self.identity_work.write(slot, |identity| {
                    identity.inode = ask.inode;
                    identity.ino = ask.ino;
                    identity.dev = ask.dev;
                    identity.generation = ask.generation;
                });
            }
            object::run(&self.proven.ebpf, "identify", &[chunk.len() as u64], None)?;
            for slot in 0..chunk.len() {
                self.identity_work.read(slot, |identity| {
                    told(number * IDENTITY_BATCH + slot, identity);
                });
            }
        }
        Ok(())
    }

    /// Sends the pending run of every CPU to the ring.
    pub(super) fn flush_runs(&self) -> Result<(), Error> {
        for cpu in &self.cpus {
            match object::run(&self.proven.ebpf, "flush_runs", &[], Some(*cpu)) {
                // A CPU that went offline has no run to flush.
                Ok(()) | Err(Error::TestRun { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Runs that the kernel dropped because the same program was active on that CPU,
    /// by event: for each such run something happened that the index does not know.
    pub(super) fn misses(&self) -> Vec<(String, u64)> {
        self.hooks
            .iter()
            .map(|hook| {
                let misses = self
                    .proven
                    .ebpf
                    .program(hook.program)
                    .and_then(|program| program.fd().ok())
                    .map_or(0, |fd| recursion_misses(fd.as_fd().as_raw_fd()));
                (hook.event.to_owned(), misses)
            })
            .collect()
    }
}

/// `recursion_misses` of a program, from its descriptor's fdinfo (`bpf_prog_show_fdinfo`,
/// kernel/bpf/syscall.c).
fn recursion_misses(descriptor: i32) -> u64 {
    std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

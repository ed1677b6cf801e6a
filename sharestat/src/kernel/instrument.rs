//! The instrument: the loaded BPF object, calibrated and proven, with its hooks and the
//! programs it runs on request.

use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use sharestat_ebpf::records::{
    FrameBatch, FrameRecord, HASH_BATCH_PAGES, HashBatch, HashRequest, IDENTITY_BATCH, Identity,
    page_status,
};

use super::{
    btf::KernelTypes,
    calibration::{self, KnownPage},
    capabilities,
    counters::CounterMaps,
    error::Error,
    kernel_log::KernelLog,
    layout::layout_of,
    object::{self, Parameters},
    probes::{self, Hook},
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

/// Default size of the event ring: a quarter of a million runs of pages.
pub const RING_BYTES: u32 = 16 << 20;

/// Frames walked by one test run: it cannot be preempted, and this many take well under
/// a millisecond.
const WALK_FRAMES: u64 = 16_384;

/// The loaded, calibrated, proven object.
pub struct Instrument {
    ebpf: Ebpf,
    hash_work: SharedArray<HashBatch>,
    frame_work: SharedArray<FrameBatch>,
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
        if !object::is_embedded() {
            return Err(Error::WithoutBpf);
        }
        capabilities::require()?;
        let types = KernelTypes::of_kernel()?;
        let layout = layout_of(&types)?;
        let ring_bytes = options.ring_bytes.clamp(4096, 1 << 30).next_power_of_two();
        let mut parameters = Parameters {
            layout,
            memory_map_base: 0,
            direct_map_base: 0,
            seed: options.seed.value(),
            removal_pages_per_second: options.removal_pages_per_second,
            ring_bytes,
            hit_ring_bytes: 4096,
            traced: 1,
            workers: options.workers.max(1),
            frames: object::frames()?,
            log_level: options.log_level,
        };
        let page = KnownPage::new()?;
        let bases = calibration::find_bases(&parameters, &page)?;
        parameters.memory_map_base = bases.memory_map;
        parameters.direct_map_base = bases.direct_map;

        let mut ebpf = object::open(&parameters)?;
        let log = KernelLog::start(&mut ebpf, options.log_level);
        for program in ON_REQUEST {
            object::load_on_request(&mut ebpf, program)?;
        }
        let workers = parameters.workers as usize;
        let hash_work = SharedArray::map(&ebpf, "HASH_WORK", workers)?;
        calibration::prove(&ebpf, &hash_work, &page, &bases, parameters.seed)?;
        let frame_work = SharedArray::map(&ebpf, "FRAME_WORK", workers)?;
        let identity_work = SharedArray::map(&ebpf, "IDENTITY_WORK", IDENTITY_BATCH)?;
        let counters = CounterMaps::take(&mut ebpf)?;
        let hooks = probes::attach_all(&mut ebpf, &types)?;
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
            ebpf,
            hash_work,
            frame_work,
            identity_work,
            counters,
            hooks,
            frames: parameters.frames,
            cpus,
        };
        Ok((instrument, ring, log))
    }

    /// Walks frames from `first` to `end` as `worker`, handing over what was found.
    pub(super) fn walk(
        &self,
        worker: u32,
        first: u64,
        end: u64,
        found: &mut dyn FnMut(&[FrameRecord]),
    ) -> Result<(), Error> {
        let slot = worker as usize;
        let mut frame = first;
        while frame < end {
            let frames = (end - frame).min(WALK_FRAMES).next_multiple_of(64);
            object::run(
                &self.ebpf,
                "walk_frames",
                &[u64::from(worker), frame, frames],
                None,
            )?;
            let next = self.frame_work.read(slot, |batch| {
                let records = usize::try_from(batch.records).unwrap_or(usize::MAX);
                found(batch.frames.get(..records).unwrap_or(&[]));
                batch.next_frame
            });
            // The program always walks at least one block; anything else would be a loop.
            frame = next.max(frame + 64);
        }
        Ok(())
    }

    /// Hashes what `requests` ask for as `worker`: at most [`HASH_BATCH_PAGES`] pages in
    /// all, results in the order of the requests' pages as (status, hash).
    pub(super) fn hash(
        &self,
        worker: u32,
        requests: &[HashRequest],
        results: &mut Vec<(u8, u64)>,
    ) -> Result<(), Error> {
        let slot = worker as usize;
        let mut pages = 0_u32;
        self.hash_work.write(slot, |batch| {
            for (place, request) in batch.requests.iter_mut().zip(requests) {
                *place = HashRequest {
                    first_result: pages,
                    ..*request
                };
                pages += request.pages;
            }
            batch.status = [page_status::RACED; HASH_BATCH_PAGES];
        });
        debug_assert!(
            pages as usize <= HASH_BATCH_PAGES,
            "the batch holds {pages} pages"
        );
        let arguments = [u64::from(worker), requests.len() as u64];
        object::run(&self.ebpf, "hash_pages", &arguments, None)?;
        self.hash_work.read(slot, |batch| {
            let pairs = batch
                .status
                .iter()
                .copied()
                .zip(batch.hashes.iter().copied());
            results.extend(pairs.take(pages as usize));
        });
        Ok(())
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
            object::run(&self.ebpf, "identify", &[chunk.len() as u64], None)?;
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
            match object::run(&self.ebpf, "flush_runs", &[], Some(*cpu)) {
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

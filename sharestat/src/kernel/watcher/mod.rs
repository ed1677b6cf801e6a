//! Watches `folio->mapping` of chosen folios. In: folio addresses, from its own census.
//! Out: one record for each access, kernel text, and the contents' hashes. The hooks of
//! the page cache are not attached: nothing else runs than the watchpoints.

mod breakpoints;

use aya::{
    maps::{MapData, RingBuf},
    programs::PerfEvent,
};
use sharestat_ebpf::{
    counters::Counter,
    records::{FrameRecord, HASH_BATCH_PAGES, HashRequest, TEXT_BYTES, WatchHit, page_status},
};

use self::breakpoints::Breakpoints;
pub use self::breakpoints::SLOTS;
use super::{
    btf::KernelTypes,
    counters::CounterMaps,
    error::Error,
    kernel_log::KernelLog,
    layout::layout_of,
    object::{self, Parameters},
    proven::Proven,
    shared_array::SharedArray,
};
use crate::seed::Seed;

/// How to start.
#[derive(Clone, Copy, Debug)]
pub struct WatcherOptions {
    /// Debug registers to use, at most [`SLOTS`].
    pub slots: usize,
    /// Bytes of the ring of hits.
    pub ring_bytes: u32,
    /// aya-log level of the BPF programs.
    pub log_level: u8,
}

impl Default for WatcherOptions {
    fn default() -> Self {
        Self {
            slots: SLOTS,
            ring_bytes: 8 << 20,
            log_level: 0,
        }
    }
}

/// What was counted in the kernel so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchCounts {
    /// Accesses noticed.
    pub hits: u64,
    /// Those without a record: the ring was full or in use, or the folio unreadable.
    pub lost: u64,
}

/// The name of the program that runs at each access.
const PROGRAM: &str = "watch_hit";

/// Programs run on request.
const ON_REQUEST: [&str; 3] = ["hash_pages", "walk_frames", "read_text"];

/// The loaded, calibrated watcher.
pub struct Watcher {
    proven: Proven,
    hits: RingBuf<MapData>,
    text: SharedArray<[u8; TEXT_BYTES]>,
    counters: CounterMaps,
    breakpoints: Breakpoints,
    frames: u64,
    mapping: u64,
    _log: KernelLog,
}

impl Watcher {
    /// Loads, calibrates and proves; watches nothing yet.
    ///
    /// # Errors
    /// When a privilege, a kernel feature or the proof fails; see [`Error`].
    pub fn start(options: &WatcherOptions) -> Result<Self, Error> {
        Proven::require()?;
        let layout = layout_of(&KernelTypes::of_kernel()?)?;
        let seed = Seed::random().map_err(|source| Error::Calibration {
            reason: format!("cannot get random bytes: {source}"),
        })?;
        let frames = object::frames()?;
        let parameters = Parameters {
            layout,
            memory_map_base: 0,
            direct_map_base: 0,
            seed: seed.value(),
            removal_pages_per_second: 0,
            ring_bytes: 4096,
            hit_ring_bytes: options.ring_bytes.clamp(4096, 1 << 28).next_power_of_two(),
            traced: 1,
            workers: 1,
            // Marks of hashed frames are of no use here.
            frames: 0,
            log_level: options.log_level,
        };
        let (mut proven, log) = Proven::start(parameters, &ON_REQUEST)?;
        let ebpf = &mut proven.ebpf;
        let text = SharedArray::map(ebpf, "TEXT", 1)?;
        let program: &mut PerfEvent = ebpf
            .program_mut(PROGRAM)
            .ok_or(Error::Missing { name: PROGRAM })?
            .try_into()
            .map_err(|source| object::program_error(PROGRAM, &source))?;
        program
            .load()
            .map_err(|source| object::program_error(PROGRAM, &source))?;
        let counters = CounterMaps::take(ebpf)?;
        let map = ebpf
            .take_map("HITS")
            .ok_or(Error::Missing { name: "HITS" })?;
        let hits = RingBuf::try_from(map).map_err(|error| Error::Map {
            map: "HITS",
            source: std::io::Error::other(error),
        })?;
        let cpus = aya::util::online_cpus().map_err(|(path, source)| Error::Read {
            path: path.into(),
            source,
        })?;
        Ok(Self {
            proven,
            hits,
            text,
            counters,
            breakpoints: Breakpoints::new(cpus, options.slots),
            frames,
            mapping: layout.folio_mapping,
            _log: log,
        })
    }

    /// Words that can be watched at a time.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.breakpoints.capacity()
    }

    /// CPUs that are watched.
    #[must_use]
    pub fn cpus(&self) -> usize {
        self.breakpoints.cpus()
    }

    /// Hands over every page-cache folio.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn census(&self, found: &mut dyn FnMut(&FrameRecord)) -> Result<(), Error> {
        self.walk(0, self.frames, found)
    }

    /// Hands over the page-cache folios that start in the frames from `first` to `end`.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn walk(
        &self,
        first: u64,
        end: u64,
        found: &mut dyn FnMut(&FrameRecord),
    ) -> Result<(), Error> {
        self.proven.walk(0, first, end, &mut |records| {
            records.iter().for_each(&mut *found);
        })
    }

    /// Hash of the first page of each folio; `None` where it cannot be hashed now.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn first_hashes(&self, folios: &[FrameRecord]) -> Result<Vec<Option<u64>>, Error> {
        let mut hashes = Vec::with_capacity(folios.len());
        for chunk in folios.chunks(HASH_BATCH_PAGES) {
            let requests: Vec<HashRequest> = chunk
                .iter()
                .map(|folio| HashRequest {
                    inode: folio.inode,
                    ino: folio.ino,
                    index: folio.index,
                    folio: folio.folio,
                    generation: folio.generation,
                    dev: folio.dev,
                    pages: 1,
                    first_result: 0,
                })
                .collect();
            let mut results = Vec::with_capacity(chunk.len());
            self.proven.hash(0, &requests, &mut results)?;
            let known = |(status, hash): (u8, u64)| (status == page_status::HASHED).then_some(hash);
            hashes.extend(results.into_iter().map(known));
        }
        Ok(hashes)
    }

    /// Watches `mapping` of these folios from now on, and of no others; returns how many.
    ///
    /// # Errors
    /// When breakpoints are refused, or all are taken by others.
    pub fn arm(&mut self, folios: &[u64]) -> Result<usize, Error> {
        let words: Vec<u64> = folios.iter().map(|folio| folio + self.mapping).collect();
        let program: &PerfEvent = self
            .proven
            .ebpf
            .program(PROGRAM)
            .ok_or(Error::Missing { name: PROGRAM })?
            .try_into()
            .map_err(|source| object::program_error(PROGRAM, &source))?;
        let descriptor = program
            .fd()
            .map_err(|source| object::program_error(PROGRAM, &source))?;
        self.breakpoints
            .arm(&words, std::os::fd::AsFd::as_fd(descriptor))
    }

    /// Watches nothing.
    pub fn disarm(&mut self) {
        self.breakpoints.disarm();
    }

    /// Address of `mapping` of the folio at `folio`.
    #[must_use]
    pub fn word_of(&self, folio: u64) -> u64 {
        folio.wrapping_add(self.mapping)
    }

    /// Hands over the waiting records.
    pub fn drain(&mut self, take: &mut dyn FnMut(&WatchHit)) {
        while let Some(bytes) = self.hits.next() {
            if bytes.len() == size_of::<WatchHit>() {
                // SAFETY: as many bytes as the type has, which is made of integers
                // without padding and valid for every bit pattern.
                take(&unsafe { bytes.as_ptr().cast::<WatchHit>().read_unaligned() });
            }
        }
    }

    /// Kernel memory from `start` to `end`; zeros where it cannot be read.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn text(&self, start: u64, end: u64) -> Result<Vec<u8>, Error> {
        let length = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
        let mut bytes = Vec::with_capacity(length.next_multiple_of(TEXT_BYTES));
        let mut address = start;
        while address < end {
            object::run(&self.proven.ebpf, "read_text", &[address], None)?;
            self.text.read(0, |text| bytes.extend_from_slice(text));
            address += TEXT_BYTES as u64;
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// What the kernel counted so far.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub fn counts(&self) -> Result<WatchCounts, Error> {
        let counters = self.counters.read()?;
        Ok(WatchCounts {
            hits: counters.get(Counter::WatchHits),
            lost: counters.get(Counter::WatchLost) + counters.get(Counter::WatchUnreadable),
        })
    }
}

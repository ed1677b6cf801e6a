//! The BPF object, loaded, calibrated and proven by the hash of a known page, with the
//! two programs that everybody runs on request: the walk over frames, and hashing. What
//! is attached to it, hooks or watchpoints, is others' business.

use aya::Ebpf;
use sharestat_ebpf::records::{
    FrameBatch, FrameRecord, HASH_BATCH_PAGES, HashBatch, HashRequest, page_status,
};

use super::{
    calibration::{self, KnownPage},
    capabilities,
    error::Error,
    kernel_log::KernelLog,
    object::{self, Constants, Loader, Parameters},
    shared_array::SharedArray,
};

/// Frames walked by one test run: it cannot be preempted, and this many take well under
/// a millisecond.
const WALK_FRAMES: u64 = 16_384;

/// The loaded, calibrated, proven object.
pub(super) struct Proven {
    pub(super) ebpf: Ebpf,
    hash_work: SharedArray<HashBatch>,
    frame_work: SharedArray<FrameBatch>,
}

impl Proven {
    /// Refuses early what cannot work: a build without programs, a missing privilege.
    pub(super) fn require() -> Result<(), Error> {
        if !object::is_embedded() {
            return Err(Error::WithoutBpf);
        }
        capabilities::require()
    }

    /// Calibrates, opens the object with what was found, loads the programs `on_request`
    /// (`hash_pages` and `walk_frames` among them) and proves them.
    pub(super) fn start(
        mut parameters: Parameters,
        on_request: &[&'static str],
    ) -> Result<(Self, KernelLog), Error> {
        let page = KnownPage::new()?;
        let trial = calibration::constants(&parameters);
        let mut loader = Loader::new();
        let bases = calibration::find_bases(&mut loader, &trial, &page)?;
        parameters.memory_map_base = bases.memory_map;
        parameters.direct_map_base = bases.direct_map;
        let constants = Constants::from(parameters.clone());
        let mut ebpf = loader.open(&constants)?;
        let log = KernelLog::start(&mut ebpf, parameters.log_level);
        for program in on_request {
            object::load_on_request(&mut ebpf, program)?;
        }
        let workers = parameters.workers as usize;
        let hash_work = SharedArray::map(&ebpf, "HASH_WORK", workers)?;
        calibration::prove(&ebpf, &hash_work, &page, &bases, parameters.seed)?;
        let frame_work = SharedArray::map(&ebpf, "FRAME_WORK", workers)?;
        let proven = Self {
            ebpf,
            hash_work,
            frame_work,
        };
        Ok((proven, log))
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
}

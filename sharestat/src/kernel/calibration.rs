//! Finds where page structures and page contents are, and proves it.
//!
//! A file of one page with random content is made in memory; `/proc/self/pagemap` tells
//! its frame number, the calibration program finds its folio and searches the direct map
//! for its content. The proof is the hash of that page, made in BPF and in user space.

use std::{
    fs::File,
    io::{self, Write as _},
    os::{fd::AsRawFd as _, unix::fs::FileExt as _},
    path::Path,
};

use aya::Ebpf;
use memmap2::MmapOptions;
use rustix::fs::{MemfdFlags, memfd_create};
use sharestat_ebpf::{
    PAGE_SIZE,
    records::{Calibration, HashBatch, HashRequest, page_status},
    xxh64::xxh64_page_bytes,
};

use super::{
    error::Error,
    object::{self, Constants, Loader, Parameters},
    shared_array::SharedArray,
};
use crate::seed::Seed;

/// Where the kernel keeps page structures and maps all memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bases {
    /// Address of the page structure of frame 0 (`vmemmap_base` on x86-64).
    pub memory_map: u64,
    /// Address at which frame 0 is mapped (`page_offset_base` on x86-64).
    pub direct_map: u64,
    /// Candidates tried for the direct map.
    pub tries: u64,
    /// How to ask for the known page: the inode as the calibration found it.
    known_page: HashRequest,
}

/// A page of known content at a known frame.
pub(super) struct KnownPage {
    file: File,
    content: Box<[u8; PAGE_SIZE]>,
    frame: u64,
}

impl KnownPage {
    /// Makes the page.
    pub(super) fn new() -> Result<Self, Error> {
        let failed = |what: &str, source: io::Error| Error::Calibration {
            reason: format!("{what}: {source}"),
        };
        let descriptor = memfd_create("sharestat-calibration", MemfdFlags::CLOEXEC)
            .map_err(|errno| failed("cannot make a file in memory", errno.into()))?;
        let mut file = File::from(descriptor);
        let content = random_page().map_err(|source| failed("cannot get random bytes", source))?;
        file.write_all(content.as_slice())
            .map_err(|source| failed("cannot write a file in memory", source))?;
        // SAFETY: the file is ours, its size does not change while it is mapped.
        let mapping = unsafe { MmapOptions::new().len(PAGE_SIZE).map(&file) }
            .map_err(|source| failed("cannot map a file in memory", source))?;
        // Touching the mapping is what makes pagemap tell its frame.
        if mapping.first() != content.first() {
            return Err(Error::Calibration {
                reason: "a file in memory reads back differently".to_owned(),
            });
        }
        let frame = frame_of(mapping.as_ptr() as u64)?;
        Ok(Self {
            file,
            content,
            frame,
        })
    }
}

fn random_page() -> io::Result<Box<[u8; PAGE_SIZE]>> {
    let mut page = Box::new([0; PAGE_SIZE]);
    let mut state = Seed::random()?.value() | 1;
    for bytes in page.as_chunks_mut::<8>().0 {
        // xorshift64: only has to differ from everything else in memory.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *bytes = state.to_le_bytes();
    }
    Ok(page)
}

/// Page frame number behind a virtual address of this process.
///
/// Bits 0 to 54 of a pagemap entry; zero without `CAP_SYS_ADMIN`
/// (Documentation/admin-guide/mm/pagemap.rst).
fn frame_of(address: u64) -> Result<u64, Error> {
    let path = Path::new("/proc/self/pagemap");
    let mut entry = [0; 8];
    File::open(path)
        .and_then(|file| file.read_exact_at(&mut entry, address / PAGE_SIZE as u64 * 8))
        .map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
    let frame = u64::from_le_bytes(entry) & ((1 << 55) - 1);
    if frame == 0 {
        return Err(Error::Capabilities {
            missing: "CAP_SYS_ADMIN (page frame numbers are hidden)".to_owned(),
        });
    }
    Ok(frame)
}

/// Those of `parameters` for an object that is opened to find the bases and for nothing
/// else.
pub(super) fn constants(parameters: &Parameters) -> Constants {
    Constants::from(Parameters {
        ring_bytes: 4096,
        hit_ring_bytes: 4096,
        traced: 1,
        workers: 1,
        frames: 0,
        ..parameters.clone()
    })
}

/// Finds the bases with an object that is opened with the [`constants`] for that.
pub(super) fn find_bases<'a>(
    loader: &mut Loader<'a>,
    constants: &'a Constants,
    page: &KnownPage,
) -> Result<Bases, Error> {
    let parameters = constants.parameters();
    let mut ebpf = loader.open(constants)?;
    let mut logger = super::kernel_log::KernelLog::start(&mut ebpf, parameters.log_level);
    object::load_on_request(&mut ebpf, "calibrate")?;
    let slot = SharedArray::<Calibration>::map(&ebpf, "CALIBRATION", 1)?;
    slot.write(0, |slot| {
        *slot = Calibration {
            fd: u64::from(page.file.as_raw_fd().cast_unsigned()),
            frame: page.frame,
            ..Calibration::default()
        };
        for (word, bytes) in slot.cookie.iter_mut().zip(page.content.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
    });
    object::run(&ebpf, "calibrate", &[], None)?;
    logger.flush();
    let found = slot.read(0, |slot| *slot);
    bases_of(&found, parameters.layout.page_struct_shift)
}

fn bases_of(found: &Calibration, page_struct_shift: u64) -> Result<Bases, Error> {
    if found.folio == 0 {
        return Err(Error::Calibration {
            reason: "the page of a known file was not found in its page tree".to_owned(),
        });
    }
    if found.direct_map == 0 {
        return Err(Error::Calibration {
            reason: format!(
                "a known page was not found in {} candidate places of the direct map",
                found.tries
            ),
        });
    }
    let memory_map = found.folio.wrapping_sub(found.frame << page_struct_shift);
    Ok(Bases {
        memory_map,
        direct_map: found.direct_map,
        tries: found.tries,
        known_page: HashRequest {
            inode: found.inode,
            ino: found.ino,
            dev: found.dev,
            generation: found.generation,
            pages: 1,
            ..HashRequest::default()
        },
    })
}

/// Hashes the known page in BPF and compares with user space: the start-up self-test.
pub(super) fn prove(
    ebpf: &Ebpf,
    work: &SharedArray<HashBatch>,
    page: &KnownPage,
    bases: &Bases,
    seed: u64,
) -> Result<(), Error> {
    work.write(0, |batch| {
        batch.requests[0] = bases.known_page;
        batch.status[0] = page_status::RACED;
    });
    object::run(ebpf, "hash_pages", &[0, 1], None)?;
    let (status, hash) = work.read(0, |batch| (batch.status[0], batch.hashes[0]));
    let expected = xxh64_page_bytes(&page.content, seed);
    match status {
        page_status::HASHED if hash == expected => Ok(()),
        page_status::HASHED => Err(Error::Calibration {
            reason: format!(
                "a known page hashes to {hash:#018x} in the kernel and to {expected:#018x} here"
            ),
        }),
        other => Err(Error::Calibration {
            reason: format!("a known page could not be hashed (status {other})"),
        }),
    }
}

//! A file of random bytes, cached in large folios or in single pages, and the requests
//! that hash it.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
};

use memmap2::{Mmap, MmapOptions};
use rustix::fs::{Advice, fadvise};
use sharestat::kernel::bench_support::Bench;
use sharestat_ebpf::records::{FrameRecord, HASH_BATCH_PAGES, HashRequest};

use super::Result;

/// How the file is cached.
#[derive(Clone, Copy)]
pub(crate) enum Folios {
    /// As readahead makes them, where the filesystem can.
    Large,
    /// One page each: read at random places.
    Single,
}

impl Folios {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Large => "large",
            Self::Single => "single",
        }
    }
}

/// The file, cached and mapped.
pub(crate) struct Fixture {
    file: File,
    mapping: Mmap,
}

impl Fixture {
    pub(crate) fn new(pages: usize, folios: Folios) -> Result<Self> {
        let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut random = File::open("/dev/urandom")?;
        let mut chunk = vec![0; 1 << 20];
        for _ in 0..pages * 4096 / chunk.len() {
            random.read_exact(&mut chunk)?;
            file.write_all(&chunk)?;
        }
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
        match folios {
            Folios::Large => {
                for place in (0..pages * 4096).step_by(chunk.len()) {
                    file.read_exact_at(&mut chunk, place as u64)?;
                }
            }
            Folios::Single => {
                fadvise(&file, 0, None, Advice::Random)?;
                for page in 0..pages {
                    file.read_exact_at(&mut chunk[..4096], page as u64 * 4096)?;
                }
            }
        }
        // SAFETY: the file has no name, so nobody else can change or cut it.
        let mapping = unsafe { MmapOptions::new().populate().map(&file) }?;
        Ok(Self { file, mapping })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.mapping
    }

    /// Requests for all its pages, one a folio, in batches, as a scan makes them.
    pub(crate) fn batches(&self, bench: &Bench) -> Result<Vec<Vec<HashRequest>>> {
        let ino = self.file.metadata()?.ino();
        let mut folios: Vec<FrameRecord> = Vec::new();
        bench.walk(0, 0, bench.frames(), &mut |records| {
            folios.extend(records.iter().filter(|record| record.ino == ino));
        })?;
        let device = self.device()?;
        folios.retain(|folio| folio.dev == device);
        folios.sort_by_key(|folio| folio.index);
        let mut batches = Vec::new();
        let mut open: Vec<HashRequest> = Vec::new();
        let most = u32::try_from(HASH_BATCH_PAGES)?;
        let mut room = most;
        for folio in &folios {
            let mut index = folio.index;
            let mut left = 1_u32 << folio.order;
            while left != 0 {
                let pages = left.min(room);
                open.push(request(folio, index, pages));
                index += u64::from(pages);
                left -= pages;
                room -= pages;
                if room == 0 {
                    batches.push(std::mem::take(&mut open));
                    room = most;
                }
            }
        }
        batches.push(open);
        let pages: u64 = folios.iter().map(|folio| 1 << folio.order).sum();
        println!("folios {} of {pages} pages", folios.len());
        Ok(batches)
    }

    /// The device as the kernel encodes it (`MKDEV`, `include/linux/kdev_t.h`).
    fn device(&self) -> Result<u32> {
        let device = self.file.metadata()?.dev();
        Ok(rustix::fs::major(device) << 20 | rustix::fs::minor(device))
    }
}

fn request(folio: &FrameRecord, index: u64, pages: u32) -> HashRequest {
    HashRequest {
        inode: folio.inode,
        ino: folio.ino,
        index,
        folio: folio.folio,
        generation: folio.generation,
        dev: folio.dev,
        pages,
        first_result: 0,
    }
}

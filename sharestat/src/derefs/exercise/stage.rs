//! Where steps happen: a directory for their files, and the watching of the folios of a
//! file while something is done to it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sharestat_ebpf::{PAGE_SIZE, records::FrameRecord};

use super::mapping::{Access, Mapping, check};
use crate::{
    derefs::watch::{Session, Stratum, now},
    kernel,
};

/// Why a step did not run to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// This machine cannot do it.
    #[error("{0}")]
    Cannot(String),
    /// A system call failed.
    #[error("{0}")]
    Failed(#[from] io::Error),
    /// Watching failed.
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
}

/// A file of the workload.
pub(super) struct Prop {
    /// Open for reading and writing.
    pub(super) file: File,
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its length.
    pub(super) bytes: usize,
}

impl Prop {
    /// Drops its clean pages from the cache.
    pub(super) fn forget(&self) -> io::Result<()> {
        self.advise(libc::POSIX_FADV_DONTNEED)
    }

    /// Gives advice about the whole file.
    pub(super) fn advise(&self, advice: i32) -> io::Result<()> {
        // SAFETY: numbers only.
        let answer = unsafe { libc::posix_fadvise(self.file.as_raw_fd(), 0, 0, advice) };
        if answer == 0 {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(answer))
        }
    }

    /// Reads all of it.
    pub(super) fn read(&self) -> io::Result<()> {
        let mut bytes = vec![0; self.bytes];
        self.file.read_exact_at(&mut bytes, 0)
    }

    /// Maps all of it.
    pub(super) fn map(&self, access: Access) -> io::Result<Mapping> {
        if access == Access::Read {
            // A shared mapping of a file that may be written counts as a writable one.
            return Mapping::new(&File::open(&self.path)?, self.bytes, access);
        }
        Mapping::new(&self.file, self.bytes, access)
    }

    /// Opens it again, past the page cache.
    pub(super) fn direct(&self) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_DIRECT)
            .open(&self.path)
    }
}

/// The stage.
pub(super) struct Stage<'a> {
    session: Option<&'a mut Session>,
    directory: &'a Path,
    files: u32,
    /// Whether steps may disturb the whole machine.
    pub(super) disruptive: bool,
}

/// How long a watch goes on after the deed: work that is left to other threads.
const AFTERMATH: Duration = Duration::from_millis(10);

/// Frames that a folio is looked for in: the largest folio is aligned to its size.
const AROUND: u64 = 512;

impl<'a> Stage<'a> {
    /// A stage for files in `directory`; without a session nothing is watched.
    pub(super) fn new(
        session: Option<&'a mut Session>,
        directory: &'a Path,
        disruptive: bool,
    ) -> Self {
        Self {
            session,
            directory,
            files: 0,
            disruptive,
        }
    }

    /// What is noticed from now on belongs to step `number`.
    pub(super) fn begin(&mut self, number: usize) {
        if let Some(session) = &mut self.session {
            session.tally.begin_step(number);
        }
    }

    /// A new file of `pages` pages, on storage and in the cache, clean.
    pub(super) fn file(&mut self, pages: usize) -> io::Result<Prop> {
        self.files += 1;
        let path = self
            .directory
            .join(format!("derefs-exercise-{}", self.files));
        let bytes = pages * PAGE_SIZE;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        let page: Vec<u8> = (0..251).cycle().take(PAGE_SIZE).collect();
        for _ in 0..pages {
            file.write_all(&page)?;
        }
        file.sync_all()?;
        let prop = Prop { file, path, bytes };
        // Read back from storage, so that the folios are what reading makes.
        prop.forget()?;
        prop.read()?;
        Ok(prop)
    }

    /// Removes a file of the workload.
    pub(super) fn remove(prop: &Prop) -> io::Result<()> {
        fs::remove_file(&prop.path)
    }

    /// Does `deed` while folios of `prop` are watched.
    pub(super) fn watch(
        &mut self,
        prop: &Prop,
        deed: &mut dyn FnMut() -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let armed = self.arm(prop)?;
        let done = deed();
        self.end(&armed);
        done
    }

    /// Watches folios of `prop` from now on.
    pub(super) fn arm(&mut self, prop: &Prop) -> Result<Armed, Stop> {
        let mut folios = Vec::new();
        if let Some(session) = &mut self.session {
            let frames = folios_of(session, prop)?;
            let spread = (frames.len() / session.watcher.capacity().max(1)).max(1);
            folios = frames
                .iter()
                .step_by(spread)
                .map(|frame| (Stratum::of(frame, false), frame.folio))
                .collect();
            let addresses: Vec<u64> = folios.iter().map(|(_, folio)| *folio).collect();
            let armed = session.arm(&addresses)?;
            folios.truncate(armed);
        }
        Ok(Armed {
            folios,
            start: now(),
        })
    }

    /// Ends what `arm` began.
    pub(super) fn end(&mut self, armed: &Armed) {
        if let Some(session) = &mut self.session {
            thread::sleep(AFTERMATH);
            session.close(&armed.folios, armed.start, &|_| true);
            session.watcher.disarm();
        }
    }
}

/// Folios that are being watched.
pub(super) struct Armed {
    folios: Vec<(Stratum, u64)>,
    start: Duration,
}

/// The folios of a cached file: its pages are mapped for a moment to learn their frames.
fn folios_of(session: &Session, prop: &Prop) -> Result<Vec<FrameRecord>, Stop> {
    let mapping = prop.map(Access::Read)?;
    mapping.read_all();
    let frames = frames_at(mapping.address(), prop.bytes / PAGE_SIZE)?;
    drop(mapping);
    let mut blocks: Vec<u64> = frames.iter().map(|frame| frame / AROUND * AROUND).collect();
    blocks.sort_unstable();
    blocks.dedup();
    let ino = prop.file.metadata()?.ino();
    let mut found: Vec<FrameRecord> = Vec::new();
    for block in blocks {
        session.watcher.walk(block, block + AROUND, &mut |frame| {
            // Near frames of ours an equal inode number is the same file; the device of
            // a subvolume or layer differs from what stat(2) says. Pages that EROFS shares
            // are of an inode without a number (fs/erofs/ishare.c).
            if frame.ino == ino || frame.ino == 0 {
                found.push(*frame);
            }
        })?;
    }
    if found.is_empty() {
        return Err(Stop::Cannot(
            "the folios of its file were not found".to_owned(),
        ));
    }
    found.sort_by_key(|frame| frame.index);
    Ok(found)
}

/// Page frame numbers behind `pages` mapped pages.
pub(super) fn frames_at(address: u64, pages: usize) -> io::Result<Vec<u64>> {
    let mut entries = vec![0; pages * 8];
    let first = address / PAGE_SIZE as u64;
    File::open("/proc/self/pagemap")?.read_exact_at(&mut entries, first * 8)?;
    Ok(entries
        .as_chunks::<8>()
        .0
        .iter()
        .map(|entry| u64::from_le_bytes(*entry) & ((1 << 55) - 1))
        .filter(|frame| *frame != 0)
        .collect())
}

/// Keeps this thread on one CPU, so that a page that it frees is what it gets next.
pub(super) fn stay_on_one_cpu() -> io::Result<()> {
    // SAFETY: a set of bits, for which zero is a value, of the size that is told.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let cpu = usize::try_from(libc::sched_getcpu()).unwrap_or(0);
        libc::CPU_SET(cpu, &mut set);
        check(libc::sched_setaffinity(
            0,
            size_of::<libc::cpu_set_t>(),
            &raw const set,
        ))
    }
}

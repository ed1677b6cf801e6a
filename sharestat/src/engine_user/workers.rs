//! One thread walks, a few look at files, the caller collects. Both queues are short:
//! a slow stage holds back the one before it, so memory stays bounded.

use std::{
    collections::HashSet,
    num::NonZero,
    os::fd::AsFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use rustix::{
    fs::{AtFlags, FileType, StatxFlags, statx},
    io::Errno,
};

use super::{
    Error,
    copy::Scratch,
    file::{Seen, Tools, Trouble, measure},
    page_flags::PageFlags,
    shared_pages::{Frame, SharedPages},
    tally::Tally,
    walk::{Candidate, walk},
};
use crate::{
    identity::scope::{Root, has_clean_state},
    model::inode::{Dev, InodeKey},
    progress::Progress,
    seed::Seed,
};

const MOST_WORKERS: usize = 8;
const QUEUE: usize = 256;

/// A file with cached pages.
pub(super) struct FoundFile {
    pub(super) candidate: Candidate,
    pub(super) key: InodeKey,
    pub(super) size: u64,
    pub(super) links: u32,
}

/// Some pages of a file.
pub(super) struct Found {
    pub(super) file: Arc<FoundFile>,
    pub(super) pages: Seen,
    /// Where some of them lie, when other files may have the same ones.
    pub(super) frames: Vec<Frame>,
}

/// Device and inode number of the files that were looked at: one with several names, or
/// shown by several mounts, is one file.
type Known = Mutex<HashSet<(Dev, u64)>>;

/// Looks at all files below the roots and hands what is cached to `collect`.
///
/// # Errors
/// The first reason why the scan cannot go on.
pub(super) fn run(
    roots: &[Root],
    shared: &SharedPages,
    seed: Seed,
    tally: &Tally,
    progress: &Progress,
    collect: &mut dyn FnMut(Found),
) -> Result<(), Error> {
    let count = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(MOST_WORKERS);
    let (candidates, queue) = sync_channel::<Candidate>(QUEUE);
    let (results, collected) = sync_channel::<Result<Found, Error>>(QUEUE);
    let (queue, known) = (Arc::new(Mutex::new(queue)), Known::default());
    let mut all_tools = Vec::new();
    for _ in 0..count {
        let scratch = Scratch::new().map_err(|error| Error::Prepare {
            what: "memfd_create",
            error,
        })?;
        let flags = PageFlags::open();
        all_tools.push(Tools {
            scratch,
            flags,
            use_cachestat: true,
            seed,
            tally,
            progress,
        });
    }
    thread::scope(|threads| {
        for mut tools in all_tools {
            let (queue, results, known) = (Arc::clone(&queue), results.clone(), &known);
            threads.spawn(move || work(&queue, &results, known, shared, &mut tools));
        }
        // Only the workers hold these ends now, so that each stage sees the other end.
        drop((queue, results));
        threads.spawn(move || {
            walk(roots, tally, progress, &mut |candidate| {
                candidates.send(candidate).is_ok()
            });
        });
        for found in &collected {
            match found {
                Ok(found) => collect(found),
                Err(error) => {
                    // Workers fail to send, the walker too: all end.
                    drop(collected);
                    return Err(error);
                }
            }
        }
        Ok(())
    })
}

fn work(
    queue: &Mutex<Receiver<Candidate>>,
    results: &SyncSender<Result<Found, Error>>,
    known: &Known,
    shared: &SharedPages,
    tools: &mut Tools<'_>,
) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(candidate) = next else {
            return;
        };
        if tools.progress.stopped() {
            return;
        }
        tools.progress.add_files(1);
        match look_at(candidate, results, known, shared, tools) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                // The collector is gone when another worker failed first.
                let _ = results.send(Err(error));
                return;
            }
        }
    }
}

/// False when nobody collects any more.
fn look_at(
    candidate: Candidate,
    results: &SyncSender<Result<Found, Error>>,
    known: &Known,
    shared: &SharedPages,
    tools: &mut Tools<'_>,
) -> Result<bool, Error> {
    let unreadable = &tools.tally.unreadable_files;
    let file = match candidate.open() {
        Ok(file) => file,
        // Gone, replaced by something else, or a mount of its own.
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::XDEV | Errno::NOTDIR) => {
            return Ok(true);
        }
        Err(_) => {
            unreadable.fetch_add(1, Ordering::Relaxed);
            return Ok(true);
        }
    };
    let Some((key, size, links)) = identify(&file) else {
        return Ok(true);
    };
    if !known
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert((key.dev, key.ino))
    {
        return Ok(true);
    }
    let path = candidate.path_here();
    let clean = has_clean_state(&candidate.tree.root.fs_type);
    let found = Arc::new(FoundFile {
        candidate,
        key,
        size,
        links,
    });
    // cachestat(2) looks at the file's own inode, which has none of the pages that it shares;
    // a mapping shows them.
    tools.use_cachestat = !shared.reaches(found.candidate.tree.root.dev);
    let mut wanted = true;
    let outcome = measure(&file, &path, clean, tools, &mut |pages| {
        let filesystem = found.candidate.tree.root.dev;
        let found = Found {
            frames: shared.frames(filesystem, &file, &pages),
            file: Arc::clone(&found),
            pages,
        };
        wanted &= results.send(Ok(found)).is_ok();
    });
    match outcome {
        Ok(()) => {}
        Err(Trouble::Unreadable) => {
            unreadable.fetch_add(1, Ordering::Relaxed);
        }
        Err(Trouble::Fatal(error)) => return Err(error),
    }
    Ok(wanted)
}

/// Key, size and number of names of a regular file; nothing for anything else.
fn identify(file: &impl AsFd) -> Option<(InodeKey, u64, u32)> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let wanted = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::SIZE | StatxFlags::NLINK;
    let status = statx(file, "", flags, wanted).ok()?;
    if FileType::from_raw_mode(status.stx_mode.into()) != FileType::RegularFile {
        return None;
    }
    let dev = Dev::new(status.stx_dev_major, status.stx_dev_minor);
    let key = InodeKey {
        dev,
        ino: status.stx_ino,
        ..InodeKey::default()
    };
    Some((key, status.stx_size, status.stx_nlink))
}

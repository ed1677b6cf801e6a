//! What resident pages hold: copy, hash, and accept the hash only if the page was stable
//! before and after. Stable means uptodate, not locked, not dirty, not under writeback:
//! write(2) keeps a page locked until it is dirty, `page_mkwrite` dirties it before it
//! can be written through a mapping, and writeback write-protects it first.

use std::{fs::File, io, os::unix::fs::MetadataExt, sync::atomic::Ordering};

use super::{
    cachestat::cachestat,
    copy::BATCH,
    file::{Seen, Tools},
    window::Window,
};
use crate::model::{
    page::{
        Observation::{self, Absent, Hashed, Skipped},
        SkipReason,
    },
    units::{PAGE_SIZE, PageIndex},
};

/// Looks at a page that changed under the look so many times in all.
const ATTEMPTS: usize = 4;

/// What is known about the file.
pub(super) struct FileState<'a> {
    pub(super) file: &'a File,
    /// Bytes; renewed when it was seen to change.
    pub(super) size: u64,
    /// False on tmpfs, where no page is ever clean: they are hashed as they are.
    pub(super) has_clean_state: bool,
    /// cachestat works here.
    pub(super) counted: bool,
}

/// Looks at `length` pages from `first` on that were resident just now.
///
/// # Errors
/// When a system call of the engine fails; a page that cannot be read is no error.
pub(super) fn look_at(
    state: &mut FileState<'_>,
    window: &Window,
    first: u64,
    length: u64,
    tools: &mut Tools<'_>,
    seen: &mut Seen,
) -> io::Result<()> {
    debug_assert!(first >= window.first() && first + length <= window.first() + window.pages());
    for start in (first..first + length).step_by(BATCH) {
        if tools.progress.stopped() {
            let rest = (start..first + length).map(PageIndex);
            seen.extend(rest.map(|page| (page, Skipped(SkipReason::Budget))));
            return Ok(());
        }
        let count = (first + length - start).min(BATCH as u64);
        let mut batch = vec![Skipped(SkipReason::Raced); usize::try_from(count).unwrap_or(BATCH)];
        for _ in 0..ATTEMPTS {
            if !look_again(state, window, start, &mut batch, tools)? {
                break;
            }
        }
        tools.progress.add_pages(count);
        let pages = (start..).map(PageIndex).zip(batch);
        seen.extend(pages.filter(|(_, observation)| *observation != Absent));
    }
    Ok(())
}

/// One attempt at all pages of the batch that are `Raced` still. True when some still are.
fn look_again(
    state: &mut FileState<'_>,
    window: &Window,
    first: u64,
    batch: &mut [Observation],
    tools: &mut Tools<'_>,
) -> io::Result<bool> {
    let residency = window.residency(first, batch.len() as u64)?;
    for (observation, resident) in batch.iter_mut().zip(&residency) {
        if resident & 1 == 0 {
            *observation = Absent;
        }
    }
    if state.has_clean_state && state.counted {
        mark_counted_unclean(state.file, first, batch)?;
    }
    let mut index = 0;
    while index < batch.len() {
        let open = batch[index..]
            .iter()
            .take_while(|seen| is_raced(**seen))
            .count();
        if open > 0 {
            hash_run(
                state,
                window,
                first + index as u64,
                &mut batch[index..index + open],
                tools,
            )?;
        }
        index += open.max(1);
    }
    Ok(batch.iter().any(|seen| is_raced(*seen)))
}

fn is_raced(seen: Observation) -> bool {
    seen == Skipped(SkipReason::Raced)
}

/// Dirty pages and pages under writeback, as cachestat counts them.
fn mark_counted_unclean(file: &File, first: u64, batch: &mut [Observation]) -> io::Result<()> {
    let pages = batch.len() as u64;
    let all = cachestat(file, first, pages)?.unwrap_or_default();
    if all.dirty + all.writeback == 0 {
        return Ok(());
    }
    for (page, observation) in (first..).zip(batch) {
        let counts = cachestat(file, page, 1)?.unwrap_or_default();
        if counts.dirty > 0 {
            *observation = Skipped(SkipReason::Dirty);
        } else if counts.writeback > 0 {
            *observation = Skipped(SkipReason::Writeback);
        }
    }
    Ok(())
}

/// Pages whose flags say that their content is not stable. Pages that are `Absent` stay.
fn mark_flagged_unclean(
    state: &FileState<'_>,
    window: &Window,
    first: u64,
    batch: &mut [Observation],
    tools: &Tools<'_>,
) -> io::Result<()> {
    let Some(flags) = &tools.flags else {
        return Ok(());
    };
    let reasons = flags.unstable(window.address(first), batch.len())?;
    for (observation, reason) in batch.iter_mut().zip(reasons) {
        let Some(reason) = reason.filter(|_| *observation != Absent) else {
            continue;
        };
        let dirty = matches!(reason, SkipReason::Dirty | SkipReason::Writeback);
        if state.has_clean_state || !dirty {
            *observation = Skipped(reason);
        }
    }
    Ok(())
}

/// Copies, hashes, checks again. The run is `Raced` throughout when this begins.
fn hash_run(
    state: &mut FileState<'_>,
    window: &Window,
    first: u64,
    run: &mut [Observation],
    tools: &mut Tools<'_>,
) -> io::Result<()> {
    let size = state.size;
    let in_file = size
        .div_ceil(PAGE_SIZE)
        .saturating_sub(first)
        .min(run.len() as u64);
    let (inside, beyond) = run.split_at_mut(usize::try_from(in_file).unwrap_or(usize::MAX));
    if !state.counted
        && tools.flags.is_some()
        && copy(window, first, inside.len(), tools)?.is_some()
    {
        // Flags are those of mapped pages, and only this first copy, thrown away, has
        // mapped them.
        mark_flagged_unclean(state, window, first, inside, tools)?;
    }
    let copied = copy_and_hash(window, first, inside, size, tools)?;
    if copied.is_some() {
        mark_flagged_unclean(state, window, first, inside, tools)?;
    }
    // Beyond the end of the file there is nothing but zeros, and touching it is SIGBUS.
    beyond.fill(Hashed(tools.seed.hash(&[0; 4096])));
    if state.has_clean_state && state.counted {
        mark_counted_unclean(state.file, first, run)?;
    }
    let cut_off = copied.filter(|copied| *copied < in_file);
    if cut_off.is_some() || (first + run.len() as u64) * PAGE_SIZE > size {
        let size_now = state.file.metadata()?.size();
        if size_now != size {
            state.size = size_now;
            run.fill(Skipped(SkipReason::Raced));
        } else if let Some(page) = cut_off.and_then(|copied| usize::try_from(copied).ok()) {
            run[page] = Skipped(SkipReason::Unreadable);
        }
    }
    Ok(())
}

/// Hashes the pages of a run that could be copied and were not found unstable, and tells
/// how many were copied; `None` when some had to come from storage, because then it
/// cannot be told which.
fn copy_and_hash(
    window: &Window,
    first: u64,
    run: &mut [Observation],
    size: u64,
    tools: &mut Tools<'_>,
) -> io::Result<Option<u64>> {
    let seed = tools.seed;
    let Some(copied) = copy(window, first, run.len(), tools)? else {
        return Ok(None);
    };
    for ((page, content), observation) in (first..).zip(copied.iter_mut()).zip(run) {
        if is_raced(*observation) {
            clear_beyond(content, size.saturating_sub(page * PAGE_SIZE));
            *observation = Hashed(seed.hash(content));
        }
    }
    Ok(Some(copied.len() as u64))
}

/// The contents of the pages up to the first that cannot be read; `None` when some had
/// left the cache.
fn copy<'t>(
    window: &Window,
    first: u64,
    count: usize,
    tools: &'t mut Tools<'_>,
) -> io::Result<Option<&'t mut [[u8; 4096]]>> {
    let copied = tools.scratch.copy(window, first, count)?;
    if copied.major_faults > 0 {
        tools
            .tally
            .faulted
            .fetch_add(copied.major_faults, Ordering::Relaxed);
        return Ok(None);
    }
    Ok(Some(copied.pages))
}

/// Zeroes what lies `valid` bytes or further into the page: beyond the end of the file a
/// mapping may have left anything.
fn clear_beyond(page: &mut [u8; 4096], valid: u64) {
    if let Some(rest) = usize::try_from(valid)
        .ok()
        .and_then(|valid| page.get_mut(valid..))
    {
        rest.fill(0);
    }
}

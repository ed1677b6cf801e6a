//! The cached pages of one file: where they are, window by window. What they hold is
//! [`pages`](super::pages)' business.

use std::{fs::File, io, os::unix::fs::MetadataExt, path::Path, sync::atomic::Ordering};

use super::{
    Error,
    cachestat::{cachestat, occupied},
    copy::Scratch,
    page_flags::PageFlags,
    pages::{FileState, look_at},
    tally::Tally,
    window::Window,
};
use crate::{
    model::{
        page::{Observation, SkipReason},
        units::{PAGE_SIZE, PageIndex},
    },
    progress::Progress,
    seed::Seed,
};

/// Pages mapped at once (256 MiB).
const WINDOW: u64 = 64 << 10;

/// Pages beyond the end of a file can be cached: squashfs fills whole blocks of up to
/// 1 MiB, a tmpfs folio is up to 2 MiB. Both are aligned to their size.
const TAIL: u64 = 512;

/// Distance of the page beyond the end of the file which cannot be cached (1 GiB).
const FAR: u64 = 1 << 18;

/// What each worker has for itself.
pub(super) struct Tools<'a> {
    pub(super) scratch: Scratch,
    pub(super) flags: Option<PageFlags>,
    /// Whether to ask cachestat; it answers `None` where the kernel has none.
    pub(super) use_cachestat: bool,
    pub(super) seed: Seed,
    pub(super) tally: &'a Tally,
    pub(super) progress: &'a Progress,
}

/// Pages of one file and what was seen of them.
pub(super) type Seen = Vec<(PageIndex, Observation)>;

/// Why a file was given up.
pub(super) enum Trouble {
    /// This file only.
    Unreadable,
    /// The whole scan.
    Fatal(Error),
}

impl From<io::Error> for Trouble {
    fn from(_: io::Error) -> Self {
        Self::Unreadable
    }
}

/// Looks at all cached pages of a file and hands them out window by window.
///
/// # Errors
/// `Fatal` when the kernel does not tell this user what is cached.
pub(super) fn measure(
    file: &File,
    path: &Path,
    has_clean_state: bool,
    tools: &mut Tools<'_>,
    out: &mut dyn FnMut(Seen),
) -> Result<(), Trouble> {
    let size = file.metadata()?.size();
    // At least one page further: a file can end where a block ends.
    let end = (size.div_ceil(PAGE_SIZE) + 1).next_multiple_of(TAIL);
    let counts = if tools.use_cachestat {
        cachestat(file, 0, 0)?
    } else {
        None
    };
    if counts.is_some_and(|counts| counts.cached == 0) {
        return Ok(());
    }
    if !tells_residency(file, end)? {
        return Err(Trouble::Fatal(Error::Residency {
            path: path.to_path_buf(),
        }));
    }
    let mut state = FileState {
        file,
        size,
        has_clean_state,
        counted: counts.is_some(),
    };
    if tools.flags.is_none() {
        tools.tally.locked_unknown.store(true, Ordering::Relaxed);
        if has_clean_state && !state.counted {
            tools.tally.dirty_unknown.store(true, Ordering::Relaxed);
        }
    }
    let windows = if state.counted {
        occupied(file, end, WINDOW)?
    } else {
        (0..end.div_ceil(WINDOW))
            .map(|window| window * WINDOW)
            .map(|first| (first, WINDOW.min(end - first)))
            .collect()
    };
    for (first, pages) in windows {
        if tools.progress.stopped() {
            return Ok(());
        }
        let seen = look_at_window(&mut state, first, pages, tools)?;
        if !seen.is_empty() {
            out(seen);
        }
    }
    Ok(())
}

/// Whether mincore(2) tells the truth about this file: it answers "resident" for all
/// pages when it does not want to tell, also for one that cannot be there.
fn tells_residency(file: &File, end: u64) -> io::Result<bool> {
    let nowhere = end + FAR;
    let window = Window::map(file, nowhere, 1)?;
    let resident = window.residency(nowhere, 1)?[0] & 1 == 1;
    Ok(!resident || file.metadata()?.size() / PAGE_SIZE >= nowhere)
}

fn look_at_window(
    state: &mut FileState<'_>,
    first: u64,
    pages: u64,
    tools: &mut Tools<'_>,
) -> io::Result<Seen> {
    let window = Window::map(state.file, first, pages)?;
    let in_file = state
        .size
        .div_ceil(PAGE_SIZE)
        .saturating_sub(first)
        .min(pages);
    let mut residency = window.residency(first, in_file)?;
    let cached = if state.counted {
        cached(state.file, first, pages)?
    } else {
        None
    };
    if cached.is_none_or(|cached| cached > uptodate(&residency)) {
        residency.extend(window.residency(first + in_file, pages - in_file)?);
    }
    let mut seen = Seen::new();
    for (start, length) in runs(&residency, 1) {
        look_at(state, &window, first + start, length, tools, &mut seen)?;
    }
    if cached.is_some_and(|cached| cached > uptodate(&residency)) {
        not_uptodate(state.file, first, &residency, &mut seen)?;
    }
    Ok(seen)
}

fn uptodate(residency: &[u8]) -> u64 {
    residency.iter().filter(|byte| **byte & 1 == 1).count() as u64
}

fn cached(file: &File, first: u64, pages: u64) -> io::Result<Option<u64>> {
    Ok(cachestat(file, first, pages)?.map(|counts| counts.cached))
}

/// mincore asks for uptodate pages, cachestat for all: the difference is being read.
fn not_uptodate(file: &File, first: u64, residency: &[u8], seen: &mut Seen) -> io::Result<()> {
    for (start, length) in runs(residency, 0) {
        if cached(file, first + start, length)? == Some(0) {
            continue;
        }
        for page in first + start..first + start + length {
            if cached(file, page, 1)? == Some(1) {
                seen.push((
                    PageIndex(page),
                    Observation::Skipped(SkipReason::NotUptodate),
                ));
            }
        }
    }
    Ok(())
}

/// Maximal runs of bytes whose lowest bit is `wanted`, as (start, length).
fn runs(residency: &[u8], wanted: u8) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let mut position = 0;
    for run in residency.chunk_by(|one, other| one & 1 == other & 1) {
        let length = run.len() as u64;
        if run[0] & 1 == wanted {
            found.push((position, length));
        }
        position += length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_maximal_and_only_the_lowest_bit_counts() {
        assert_eq!(runs(&[1, 3, 0, 2, 1], 1), [(0, 2), (4, 1)]);
        assert_eq!(runs(&[1, 3, 0, 2, 1], 0), [(2, 2)]);
        assert_eq!(runs(&[], 1), []);
    }
}

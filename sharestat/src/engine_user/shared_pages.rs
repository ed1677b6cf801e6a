//! Pages that the kernel keeps once for several files (EROFS with `inode_share`, Linux
//! 7.2): each of the files shows them as its own, and the page frame tells that they are
//! the same.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io,
};

use super::{copy::Scratch, file::Seen, page_flags::PageFlags, window::Window};
use crate::{
    identity::{mounts::MountTable, storage},
    model::{
        inode::{Dev, InodeId, InodeKey},
        page::Observation,
        units::{ContentHash, PageIndex},
    },
};

/// Pages of a file whose frames are looked at: one would do, but may have left the cache.
const LOOKS: usize = 8;

/// What to say where the frames of pages cannot be read.
const UNKNOWN: &str = "equal files on EROFS mounts with inode_share were counted once for each file, although the kernel may keep their pages once: telling needs root";

/// One page of a file, where it lies in memory, and what it holds.
pub(super) type Frame = (u64, PageIndex, ContentHash);

/// Tells which frames hold the pages of files that may share them.
pub(super) struct SharedPages {
    filesystems: HashSet<Dev>,
    flags: Option<PageFlags>,
}

impl SharedPages {
    /// For the filesystems of this mount table.
    pub(super) fn of(mounts: &MountTable) -> Self {
        let filesystems = storage::sharing(mounts);
        Self {
            flags: (!filesystems.is_empty()).then(PageFlags::open).flatten(),
            filesystems,
        }
    }

    /// Whether files of a filesystem may share pages.
    pub(super) fn reaches(&self, filesystem: Dev) -> bool {
        self.filesystems.contains(&filesystem)
    }

    /// What to say when files of these filesystems were measured.
    pub(super) fn note(&self, mut measured: impl Iterator<Item = Dev>) -> Option<String> {
        let any = measured.any(|dev| self.reaches(dev));
        (any && self.flags.is_none()).then(|| UNKNOWN.to_owned())
    }

    /// Where some of the pages lie that were seen of a file; nothing for one that shares
    /// none, or when they left.
    pub(super) fn frames(&self, filesystem: Dev, file: &File, seen: &Seen) -> Vec<Frame> {
        let Some(flags) = &self.flags else {
            return Vec::new();
        };
        if !self.reaches(filesystem) {
            return Vec::new();
        }
        let hashed = seen.iter().filter_map(|(page, seen)| match seen {
            Observation::Hashed(content) => Some((*page, *content)),
            Observation::Absent | Observation::Skipped(_) => None,
        });
        let Ok(mut scratch) = Scratch::new() else {
            return Vec::new();
        };
        let looked = hashed.take(LOOKS).filter_map(|(page, content)| {
            let frame = frame_of(flags, &mut scratch, file, page).ok()??;
            Some((frame, page, content))
        });
        looked.collect()
    }
}

fn frame_of(
    flags: &PageFlags,
    scratch: &mut Scratch,
    file: &File,
    page: PageIndex,
) -> io::Result<Option<u64>> {
    let window = Window::map(file, page.0, 1)?;
    if window.residency(page.0, 1)?[0] & 1 == 0 {
        return Ok(None);
    }
    // A page has a place in the page table once it was read.
    scratch.copy(&window, page.0, 1)?;
    flags.frame(window.address(page.0))
}

/// Which of the files seen so far has these pages.
#[derive(Default)]
pub(super) struct Keepers {
    by_frame: HashMap<Frame, InodeId>,
    by_file: HashMap<InodeKey, InodeId>,
}

impl Keepers {
    /// The inode that stands for a file with these pages: that of the file which was first
    /// seen with one of them, else its `own`.
    pub(super) fn of(
        &mut self,
        file: InodeKey,
        frames: &[Frame],
        own: impl FnOnce() -> InodeId,
    ) -> InodeId {
        if frames.is_empty() {
            return self.by_file.get(&file).copied().unwrap_or_else(own);
        }
        let with_page = || frames.iter().find_map(|frame| self.by_frame.get(frame));
        let known = self.by_file.get(&file).or_else(with_page);
        let keeper = known.copied().unwrap_or_else(own);
        self.by_file.insert(file, keeper);
        self.by_frame
            .extend(frames.iter().map(|frame| (*frame, keeper)));
        keeper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(frame: u64, page: u64) -> Frame {
        (frame, PageIndex(page), ContentHash(page))
    }

    #[test]
    fn one_page_in_common_makes_files_one() {
        let mut keepers = Keepers::default();
        let mut of = |ino: u32, frames: &[Frame]| {
            let file = InodeKey {
                ino: ino.into(),
                ..InodeKey::default()
            };
            keepers.of(file, frames, || InodeId(ino)).0
        };
        assert_eq!(of(1, &[frame(70, 0), frame(71, 1)]), 1);
        assert_eq!(of(2, &[frame(90, 0), frame(71, 1)]), 1);
        // More pages of the same file.
        assert_eq!(of(2, &[]), 1);
        assert_eq!(of(2, &[frame(99, 9)]), 1);
        // The same frame at another page is another file's by now.
        assert_eq!(of(3, &[frame(71, 5)]), 3);
        assert_eq!(of(4, &[frame(90, 0)]), 1);
        assert_eq!(of(5, &[]), 5);
    }
}

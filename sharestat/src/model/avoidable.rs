//! Reads and reclaim that sharing equal pages would have made unnecessary. Fed by the
//! index as pages come, become known and go; only counts, and never more than it knows:
//! every count has its coverage beside it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{index::ContentIndex, inode::InodeId, measurement::Identities, units::ContentHash};

/// Most contents that are remembered as gone too early, in about 20 MiB.
const MOST_MISSED: usize = 1 << 20;

/// Files that are kept though the index has forgotten them, besides as many as it knows.
const MOST_GONE: usize = 1024;

/// What was counted since the start, in pages of filesystems that have a clean state.
/// `added` = `read` + `written` + `unknown` + those that still wait to be hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Avoidable {
    /// Pages that entered the page cache.
    pub added: u64,
    /// Of these: their content became known before anything changed it, so that it is what
    /// storage holds.
    pub read: u64,
    /// Of `read`: their content was resident in another page. Zero pages do not count: a
    /// hole is not read from storage.
    pub avoidable_reads: u64,
    /// Of `added`: were dirtied before their content was known, as written pages are.
    pub written: u64,
    /// Of `added`: left before their content was known.
    pub unknown: u64,
    /// Pages that reclaim took.
    pub reclaimed: u64,
    /// Of these: content known.
    pub reclaimed_hashed: u64,
    /// Of these: the last copy of their content.
    pub reclaimed_distinct: u64,
    /// Of these: while duplicates were resident, more than the contents counted here that
    /// have not come back since: room for this one, had equal pages been shared.
    pub avoidable_reclaims: u64,
}

impl Avoidable {
    /// Pages whose content is not known yet, and may have been read.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.added - self.read - self.written - self.unknown
    }
}

/// The avoidable part of one inode, layer or image, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Avoidable reads.
    pub reads: u64,
    /// Avoidable reclaims.
    pub reclaims: u64,
}

impl Part {
    fn add(&mut self, other: Self) {
        self.reads += other.reads;
        self.reclaims += other.reclaims;
    }
}

/// The running counts.
#[derive(Clone, Default)]
pub(super) struct Counts {
    pub(super) sums: Avoidable,
    by_inode: HashMap<InodeId, Part>,
    /// Contents that were reclaimed avoidably and are not resident again.
    missed: HashSet<ContentHash>,
}

impl Counts {
    /// A page entered; `again` when it did so before and was not known yet.
    pub(super) fn added(&mut self, again: bool) {
        self.sums.added += 1;
        self.sums.unknown += u64::from(again);
    }

    /// The content of a page that was read is known; `resident`: another page had it.
    pub(super) fn read(&mut self, inode: InodeId, resident: bool) {
        self.sums.read += 1;
        if resident {
            self.sums.avoidable_reads += 1;
            self.by_inode.entry(inode).or_default().reads += 1;
        }
    }

    /// A content that no page had is resident.
    pub(super) fn returned(&mut self, content: ContentHash) {
        if !self.missed.is_empty() {
            self.missed.remove(&content);
        }
    }

    /// Reclaim took a page of this content, of which `copies` are left, while there were
    /// so many duplicates.
    pub(super) fn reclaimed(
        &mut self,
        inode: InodeId,
        content: Option<ContentHash>,
        copies: u32,
        duplicates: u64,
    ) {
        self.sums.reclaimed += 1;
        let Some(content) = content else { return };
        self.sums.reclaimed_hashed += 1;
        if copies > 0 {
            return;
        }
        self.sums.reclaimed_distinct += 1;
        if (self.missed.len() as u64) < duplicates && self.missed.len() < MOST_MISSED {
            self.missed.insert(content);
            self.sums.avoidable_reclaims += 1;
            self.by_inode.entry(inode).or_default().reclaims += 1;
        }
    }

    /// Heap bytes, estimated.
    pub(super) fn memory_bytes(&self) -> u64 {
        let missed = self.missed.capacity() * 8 / 7 * (size_of::<ContentHash>() + 1);
        let inodes = self.by_inode.capacity() * 8 / 7 * (size_of::<(InodeId, Part)>() + 1);
        (missed + inodes) as u64
    }
}

impl ContentIndex {
    /// Avoidable reads and reclaim since the start, in pages.
    #[must_use]
    pub const fn avoidable(&self) -> &Avoidable {
        &self.ledger.avoidable.sums
    }
}

/// What one image has of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImagePart {
    /// Its name.
    pub name: String,
    /// Its part.
    pub part: Part,
}

/// Avoidable reads and reclaim by image, for as long as a measurement runs: files and
/// layers come and go meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByImage {
    /// By the id of the image; a layer of several images counts in each.
    pub images: BTreeMap<String, ImagePart>,
    /// Of files that are in no image, or went before they had a name.
    pub elsewhere: Part,
    /// Of files that are known to the index, and some that were.
    files: HashMap<InodeId, Part>,
    /// How many of them were known when those that had gone were last left out.
    known: usize,
}

impl ByImage {
    /// What one file has, as long as the index knows it.
    #[must_use]
    pub fn of_file(&self, inode: InodeId) -> Part {
        self.files.get(&inode).copied().unwrap_or_default()
    }

    /// Takes over what was counted for inodes that have a name by now, or are forgotten.
    /// To be called before inodes are forgotten, and after they were named.
    pub fn absorb(&mut self, index: &mut ContentIndex, identities: &Identities) {
        let counted = std::mem::take(&mut index.ledger.avoidable.by_inode);
        if self.files.len() > 2 * self.known + MOST_GONE {
            self.files.retain(|inode, _| index.key(*inode).is_some());
            self.known = self.files.len();
        }
        for (inode, part) in counted {
            let file = identities.files.get(&inode);
            if file.is_none() && index.key(inode).is_some() {
                let waits = &mut index.ledger.avoidable.by_inode;
                waits.insert(inode, part);
                continue;
            }
            if file.is_some() {
                self.files.entry(inode).or_default().add(part);
            }
            let layer = file.and_then(|file| identities.layers.layer(file.place.layer?));
            let images = layer.map_or(&[][..], |layer| &layer.images);
            if images.is_empty() {
                self.elsewhere.add(part);
            }
            for image in images.iter().filter_map(|id| identities.layers.image(*id)) {
                let known = self.images.entry(image.id.clone()).or_default();
                image.label().clone_into(&mut known.name);
                known.part.add(part);
            }
        }
    }
}

#[cfg(test)]
#[path = "avoidable_tests.rs"]
mod tests;

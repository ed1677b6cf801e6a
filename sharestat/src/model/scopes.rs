//! The duplicates split by how near the copies are. Copies of one content are joined
//! nearest relation first, as a minimum spanning tree: each copy beyond the first takes
//! the nearest relation that it has, whichever copy is called the first.

use std::collections::HashMap;

use super::{
    copies::{Copy, for_each_content},
    duplicates::Duplicates,
    index::ContentIndex,
    inode::InodeId,
    kin::{Kin, Kinship},
    layers::LayerId,
    savings::Classes,
    unions::Unions,
    units::{Bytes, PageIndex},
};

/// The scopes in the order of nearness, `zero` before all.
pub const SCOPES: [&str; 10] = [
    "zero",
    "image-file",
    "self",
    "reflink",
    "snapshot",
    "copy-up",
    "layer",
    "image",
    "cross-layer",
    "host",
];

/// The duplicates whose nearest other copy is that near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeRow {
    /// Name of the scope.
    pub name: &'static str,
    /// Copies beyond the first.
    pub duplicate: Bytes,
}

/// What one pass over the copies of related files tells.
#[derive(Default)]
pub(super) struct Nearness {
    /// Joins by scope, without those of files that are related to no other.
    joins: [u64; SCOPES.len()],
    /// Copies beyond the first within files, of the contents that were looked at.
    repeated: u64,
    /// Same physical extent.
    pub(super) reflink: Classes,
    /// An upper file and the lower file under it, at the same page.
    pub(super) copy_up: Classes,
    /// Pages of image files that are cached through the filesystem too.
    pub(super) image_file: Classes,
    /// The same by image file.
    pub(super) image_files: HashMap<InodeId, u64>,
    /// `cross-layer` joins by the two layers.
    pub(super) layer_pairs: HashMap<(LayerId, LayerId), u64>,
}

const IMAGE_FILE: usize = 1;
const SELF: usize = 2;
const REFLINK: usize = 3;
const SNAPSHOT: usize = 4;
const COPY_UP: usize = 5;
const LAYER: usize = 6;
const IMAGE: usize = 7;
const CROSS_LAYER: usize = 8;
const HOST: usize = 9;

impl Nearness {
    /// Looks at every content that a related file holds.
    pub(super) fn of(duplicates: &Duplicates<'_>, kin: &Kin<'_>) -> Self {
        let mut nearness = Self::default();
        let mut joiner = Joiner {
            index: duplicates.index(),
            kin,
            unions: Unions::default(),
            keyed: Vec::new(),
            keys: Vec::new(),
        };
        for_each_content(duplicates, kin.related(), |copies| {
            joiner.join(copies, &mut nearness);
        });
        nearness
    }

    /// The rows; they add up to all duplicates. `repeated` is what files hold more than
    /// once within themselves, zero pages aside.
    pub(super) fn rows(&self, index: &ContentIndex, repeated: Bytes) -> Vec<ScopeRow> {
        let totals = index.totals();
        let mut bytes = self.joins.map(Bytes::of_pages);
        bytes[0] = Bytes::of_pages(totals.zero_copies.saturating_sub(1));
        bytes[SELF] += Bytes(repeated.0 - Bytes::of_pages(self.repeated).0);
        bytes[HOST] = Bytes(0);
        let near: Bytes = bytes.iter().copied().sum();
        bytes[HOST] = Bytes(Bytes::of_pages(totals.duplicate).0 - near.0);
        SCOPES
            .iter()
            .zip(bytes)
            .map(|(&name, duplicate)| ScopeRow { name, duplicate })
            .collect()
    }
}

/// A key that related copies have in common; its meaning differs by scope.
type Key = (u64, u64, u64);

struct Joiner<'a> {
    index: &'a ContentIndex,
    kin: &'a Kin<'a>,
    unions: Unions,
    keyed: Vec<(Key, u32)>,
    /// Those of one copy.
    keys: Vec<Key>,
}

impl Joiner<'_> {
    fn join(&mut self, copies: &[Copy], into: &mut Nearness) {
        let Ok(len) = u32::try_from(copies.len()) else {
            return;
        };
        self.unions.restart(len);
        let kinds = self.kin.kinds();
        if self.kin.has_images() {
            self.image_files(copies, into);
        }
        let files = copies.chunk_by(|one, next| one.inode == next.inode).count();
        into.repeated += copies.len() as u64 - files as u64;
        if files < copies.len() {
            let inode = |copy: &Copy, keys: &mut Vec<Key>| keys.push((copy.inode.0.into(), 0, 0));
            into.joins[SELF] += self.level(copies, inode, |_, _| {});
        }
        if files < 2 {
            return;
        }
        if kinds.extents {
            self.reflinks(copies, into);
        }
        let kin = self.kin;
        if kinds.snapshots {
            let index = self.index;
            let keys = |copy: &Copy, keys: &mut Vec<Key>| snapshot_keys(index, kin, copy, keys);
            into.joins[SNAPSHOT] += self.level(copies, keys, |_, _| {});
        }
        if !kin.copy_ups().is_empty() {
            self.copy_ups(copies, into);
        }
        if self.unions.sets() == 1 {
            return;
        }
        let joins = &mut into.joins;
        joins[LAYER] += self.level(
            copies,
            |copy, keys| keys.extend(layer(kin, copy).map(|layer| (layer.0.into(), 0, 0))),
            |_, _| {},
        );
        if kinds.images && self.unions.sets() > 1 {
            joins[IMAGE] += self.level(
                copies,
                |copy, keys| {
                    let images = relations(kin, copy).map(|file| file.images);
                    keys.extend(images.into_iter().flatten().map(|id| (id.0.into(), 0, 0)));
                },
                |_, _| {},
            );
        }
        if self.unions.sets() == 1 {
            return;
        }
        let pairs = &mut into.layer_pairs;
        joins[CROSS_LAYER] += self.level(
            copies,
            |copy, keys| keys.extend(layer(kin, copy).map(|_| (0, 0, 0))),
            |one, other| {
                if let (Some(one), Some(other)) = (layer(kin, one), layer(kin, other)) {
                    *pairs.entry((one.min(other), one.max(other))).or_default() += 1;
                }
            },
        );
        // What is left is joined as `host`, which `rows` gets by subtraction.
    }

    /// Joins copies that have a key in common; returns the number of joins.
    fn level(
        &mut self,
        copies: &[Copy],
        keys_of: impl Fn(&Copy, &mut Vec<Key>),
        mut joined: impl FnMut(&Copy, &Copy),
    ) -> u64 {
        self.key(copies, keys_of);
        let mut joins = 0;
        for run in self.keyed.chunk_by(|one, next| one.0 == next.0) {
            for pair in run.windows(2) {
                let (one, other) = (pair[0].1, pair[1].1);
                if self.unions.join(one, other) {
                    joins += 1;
                    joined(&copies[one as usize], &copies[other as usize]);
                }
            }
        }
        joins
    }

    /// Sorts the copies by their keys.
    fn key(&mut self, copies: &[Copy], keys_of: impl Fn(&Copy, &mut Vec<Key>)) {
        self.keyed.clear();
        for (node, copy) in (0..).zip(copies) {
            keys_of(copy, &mut self.keys);
            self.keyed
                .extend(self.keys.drain(..).map(|key| (key, node)));
        }
        self.keyed.sort_unstable();
        self.keyed.dedup();
    }

    /// Counts the eligible copies that have a key in common.
    fn classes(
        &mut self,
        copies: &[Copy],
        keys_of: impl Fn(&Copy, &mut Vec<Key>),
        into: &mut Classes,
    ) {
        let index = self.index;
        self.key(copies, |copy, keys| {
            if eligible(index, copy.inode) {
                keys_of(copy, keys);
            }
        });
        for run in self.keyed.chunk_by(|one, next| one.0 == next.0) {
            into.add(run.len() as u64);
        }
    }

    /// Copies in an image file or block device, and those seen through its filesystem.
    /// Files of that filesystem are joined only where the image holds the content too.
    fn image_files(&mut self, copies: &[Copy], into: &mut Nearness) {
        let (kin, index) = (self.kin, self.index);
        if !copies.iter().any(|copy| kin.is_image(copy.inode)) {
            return;
        }
        self.key(copies, |copy, keys| {
            if let Some(file) = relations(kin, copy) {
                keys.extend(file.holds.iter().map(|dev| (dev.0.into(), 0, 0)));
            }
            if let Some(dev) = kin.filesystem(copy.inode) {
                keys.push((dev.0.into(), 0, 0));
            }
        });
        let mut joins = 0;
        for run in self.keyed.chunk_by(|one, next| one.0 == next.0) {
            let holds = |node: u32| {
                let file = relations(kin, &copies[node as usize]);
                file.is_some_and(|file| file.holds.iter().any(|dev| u64::from(dev.0) == run[0].0.0))
            };
            let first = copies[run[0].1 as usize].inode;
            let one_file = run
                .iter()
                .all(|(_, node)| copies[*node as usize].inode == first);
            if !one_file && run.iter().any(|(_, node)| holds(*node)) {
                for pair in run.windows(2) {
                    joins += u64::from(self.unions.join(pair[0].1, pair[1].1));
                }
            }
        }
        into.joins[IMAGE_FILE] += joins;
        // Not caching the image saves its pages, as long as another copy is left.
        let images = copies
            .iter()
            .filter(|copy| kin.is_image(copy.inode) && eligible(index, copy.inode));
        let mut saved = 0;
        for copy in images {
            if saved < joins {
                saved += 1;
                *into.image_files.entry(copy.inode).or_default() += 1;
            }
        }
        into.image_file.add_saved(saved);
    }

    /// Copies in an upper file and in the lower file that it hides. Upper files that were
    /// written alike and no longer hold what the lower one does are not joined by it.
    fn copy_ups(&mut self, copies: &[Copy], into: &mut Nearness) {
        let kin = self.kin;
        let sources = |copy: &Copy| {
            let sources = relations(kin, copy).map(|file| &file.copy_ups);
            sources.into_iter().flatten().copied()
        };
        let holds = |source: &InodeId| {
            copies
                .binary_search_by_key(source, |copy| copy.inode)
                .is_ok()
        };
        into.joins[COPY_UP] += self.level(
            copies,
            |copy, keys| {
                let held = sources(copy).filter(holds);
                keys.extend(held.map(|id| (id.0.into(), 0, 0)));
            },
            |_, _| {},
        );
        let holds_there = |source: &InodeId, page: PageIndex| {
            let at = copies.binary_search_by_key(&(*source, page), |copy| (copy.inode, copy.page));
            at.is_ok()
        };
        self.classes(
            copies,
            |copy, keys| {
                let held = sources(copy).filter(|source| holds_there(source, copy.page));
                keys.extend(held.map(|id| (id.0.into(), copy.page.0, 0)));
            },
            &mut into.copy_up,
        );
    }

    /// Copies in one place of the storage. A snapshot shares its places too: files with
    /// the same number are left to `snapshot`.
    fn reflinks(&mut self, copies: &[Copy], into: &mut Nearness) {
        let kin = self.kin;
        let physical = |copy: &Copy, keys: &mut Vec<Key>| keys.extend(place(kin, copy));
        self.key(copies, physical);
        let number = |node: u32| {
            let key = self.index.key(copies[node as usize].inode);
            key.map_or(0, |key| key.ino)
        };
        let mut joins = 0;
        for run in self.keyed.chunk_by(|one, next| one.0 == next.0) {
            if run
                .iter()
                .all(|(_, node)| number(*node) == number(run[0].1))
            {
                continue;
            }
            for pair in run.windows(2) {
                joins += u64::from(self.unions.join(pair[0].1, pair[1].1));
            }
        }
        into.joins[REFLINK] += joins;
        self.classes(copies, physical, &mut into.reflink);
    }
}

fn relations<'k>(kin: &'k Kin<'k>, copy: &Copy) -> Option<&'k Kinship<'k>> {
    kin.get(copy.inode)
}

fn layer(kin: &Kin<'_>, copy: &Copy) -> Option<LayerId> {
    kin.get(copy.inode)?.layer
}

fn eligible(index: &ContentIndex, inode: InodeId) -> bool {
    index.view(inode).is_some_and(|view| view.eligible)
}

/// Superblock and physical address of a page that shares its extent.
fn place(kin: &Kin<'_>, copy: &Copy) -> Option<Key> {
    let file = kin.get(copy.inode)?;
    let physical = file.extents?.physical(copy.page)?;
    Some((file.filesystem.0.into(), physical, 0))
}

/// Files with the same number in two subvolumes are of a snapshot pair when they have the
/// same generation too, or, where the engine cannot tell it, the same place on storage.
fn snapshot_keys(index: &ContentIndex, kin: &Kin<'_>, copy: &Copy, keys: &mut Vec<Key>) {
    let Some(file) = kin.get(copy.inode).filter(|file| file.in_snapshots) else {
        return;
    };
    let Some(key) = index.key(copy.inode) else {
        return;
    };
    let filesystem = u64::from(file.filesystem.0);
    if key.generation != 0 {
        keys.push((filesystem << 32 | u64::from(key.generation), key.ino, 0));
    }
    if let Some((_, physical, _)) = place(kin, copy) {
        keys.push((filesystem, key.ino, physical.wrapping_add(1)));
    }
}

#[cfg(test)]
#[path = "scopes_tests.rs"]
mod tests;

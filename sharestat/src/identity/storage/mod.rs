//! What is asked after a measurement, or beside one that goes on: memory of containers,
//! and what storage tells about files that hold duplicates: shared extents, digests, and on
//! request whether they are equal as a whole. Opens files by their paths; what was opened
//! must be the inode that was measured.

mod background;
#[cfg(test)]
mod collision_tests;
mod compare;
mod digests;
mod extents;
mod opener;
mod pages;
mod reading;

#[cfg(any(test, fuzzing))]
pub(super) use digests::digest_in;

use std::{
    cmp::Reverse,
    collections::HashSet,
    fs::File,
    time::{Duration, Instant},
};

pub use self::background::Background;
use self::opener::Opener;
use super::{
    memory,
    mounts::{Mount, MountTable},
    warning::counted,
};
use crate::model::{
    duplicates::Duplicates,
    files::{file_row, survey_files},
    inode::{Dev, InodeId},
    kin::Kin,
    measurement::{Measurement, Proof},
    savings::Confidence,
    units::Bytes,
    whole::whole_classes,
};
use crate::{progress::Progress, seed::Seed};

/// For asking about extents and digests; files with most duplicates come first.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for what containers use, how EROFS is mounted, and for the extents and digests of
/// files with duplicates. Looks at files of reflinking filesystems, of EROFS, and of layers
/// only: elsewhere it costs nothing.
pub fn ask(measurement: &mut Measurement) {
    if let Ok(mounts) = MountTable::read() {
        let identity = &mut measurement.identity;
        identity.memory = memory::of_containers(&mounts, &identity.layers);
        identity.sharing = Some(sharing(&mounts));
    }
    let wanted = wanted(measurement);
    if wanted.is_empty() {
        return;
    }
    let Some(opener) = Opener::new() else {
        return;
    };
    let begun = Instant::now();
    let mut unasked = (0_u64, Bytes(0));
    for (inode, duplicate) in wanted {
        let fs_type = fs_type(measurement, inode).to_owned();
        let file = if begun.elapsed() < PATIENCE {
            opener.open(measurement, inode)
        } else {
            None
        };
        if extents::are_shared_on(&fs_type) {
            match file.as_ref().and_then(|file| extents::shared(file).ok()) {
                Some(extents) => {
                    measurement.identity.extents.insert(inode, extents);
                }
                None => unasked = (unasked.0 + 1, unasked.1 + duplicate),
            }
        }
        // Without a digest, what is resident decides.
        let Some(file) = file else {
            continue;
        };
        if let Some(digest) = digests::of(&file, &fs_type) {
            let proof = Proof::Digest(digest.into());
            measurement.identity.whole.insert(inode, proof);
        }
    }
    if unasked.0 > 0 {
        measurement.identity.warnings.push(format!(
            "could not ask storage about {} with {} of duplicates; what is shared there counts as 'host', 'layer' or the like: no path here, changed, or asking took too long",
            counted(unasked.0, "file", "files"),
            unasked.1
        ));
    }
}

/// EROFS superblocks that share the pages of equal files (`erofs_show_options`,
/// fs/erofs/super.c, since Linux 7.2; the domain is not shown).
pub(crate) fn sharing(mounts: &MountTable) -> HashSet<Dev> {
    let shares = |mount: &&Mount| {
        let mut options = mount.super_options.iter();
        mount.fs_type == "erofs" && options.any(|(name, _)| name == b"inode_share")
    };
    let mounts = mounts.mounts().iter();
    mounts.filter(shares).map(|mount| mount.dev).collect()
}

/// Files worth asking about, with their duplicates, most first.
fn wanted(measurement: &Measurement) -> Vec<(InodeId, Bytes)> {
    let files = measurement.identity.files.keys().copied();
    let mut wanted: Vec<(InodeId, Bytes)> = files
        .filter(|inode| is_worth_asking(measurement, *inode))
        .filter_map(|inode| file_row(&measurement.index, inode))
        .filter(|row| row.duplicate > row.zero)
        .map(|row| (row.inode, row.duplicate))
        .collect();
    wanted.sort_by_key(|(inode, duplicate)| (Reverse(*duplicate), *inode));
    wanted
}

fn is_worth_asking(measurement: &Measurement, inode: InodeId) -> bool {
    let fs_type = fs_type(measurement, inode);
    let file = measurement.identity.files.get(&inode);
    file.is_some_and(|file| file.place.path_in_fs.is_some() && !file.deleted)
        && (extents::are_shared_on(fs_type)
            || digests::has_own(fs_type)
            || file.is_some_and(|file| file.place.layer.is_some()))
}

fn fs_type(measurement: &Measurement, inode: InodeId) -> &str {
    let identity = &measurement.identity;
    let file = identity.files.get(&inode);
    let filesystem = file.and_then(|file| identity.filesystems.get(file.filesystem));
    filesystem.map_or("", |filesystem| &filesystem.fs_type)
}

/// Reads and compares what is thought equal: first the pages of equal hash, then the files
/// that seem equal as a whole. What was hashed with `seed` and differs is no longer one
/// content in the index. Stops early when `progress` says so.
pub fn compare(measurement: &mut Measurement, seed: Seed, progress: &Progress) {
    let Some(opener) = Opener::new() else {
        return;
    };
    pages::compare(measurement, &opener, seed, progress);
    compare_files(measurement, &opener, progress);
}

fn compare_files(measurement: &mut Measurement, opener: &Opener, progress: &Progress) {
    let identity = &measurement.identity;
    let kin = Kin::of(&measurement.index, identity);
    let duplicates = Duplicates::of(&measurement.index);
    let rows = survey_files(&duplicates).rows;
    let classes = whole_classes(&duplicates, identity, &kin, &rows);
    let mut next = 0_u32;
    let mut proofs = Vec::new();
    let mut unread = 0_u64;
    for class in classes {
        if class.confidence != Confidence::Probable || progress.stopped() {
            continue;
        }
        let mut open: Vec<(InodeId, File)> = Vec::new();
        for inode in class.files {
            match opener.open(measurement, inode) {
                Some(file) => open.push((inode, file)),
                None => unread += 1,
            }
        }
        for equal in compare::classes(open, &mut unread) {
            proofs.extend(
                equal
                    .into_iter()
                    .map(|inode| (inode, Proof::Compared(next))),
            );
            next += 1;
        }
    }
    let identity = &mut measurement.identity;
    identity.whole.extend(proofs);
    if unread > 0 {
        identity.warnings.push(format!(
            "could not read {} to compare as a whole: what rests on that stays 'probable'",
            counted(unread, "file", "files")
        ));
    }
}

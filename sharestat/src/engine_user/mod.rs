//! The engine without BPF, for hosts that refuse it and as a check on the other one:
//! walk the filesystems, ask mincore(2) and cachestat(2) what is cached, copy and hash
//! it through a mapping. Leaves the cache as it was; what it cannot see or avoid is in
//! the notes of the measurement.

pub(crate) mod cachestat;
mod copy;
mod error;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod page_flags;
mod pages;
mod shared_pages;
mod tally;
mod walk;
mod window;
mod workers;
mod writers;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Instant,
};

use sharestat_ebpf::PAGE_SIZE;

pub use error::Error;

use crate::{
    identity::{
        Resolver, escape::printable, mounts::MountTable, scope::Scope, scope::has_clean_state,
    },
    model::{
        index::ContentIndex,
        inode::{Dev, InodeId, InodeKey},
        measurement::{Engine, FileIdentity, Identities, Measurement, Place},
        shared_files::SharingFile,
    },
    progress::Progress,
    seed::Seed,
};
use shared_pages::{Keepers, SharedPages};
use tally::Tally;
use workers::Found;
use writers::Writers;

/// What to measure, and how.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// Directories; none means the whole machine.
    pub paths: Vec<PathBuf>,
    /// Seed of the hashes.
    pub seed: Seed,
}

/// Measures once. Ends early, with `complete: false`, when `progress` is stopped.
///
/// # Errors
/// See [`Error`]. Files that cannot be read are no error.
pub fn scan(options: &ScanOptions, progress: &Progress) -> Result<Measurement, Error> {
    let started_at = jiff::Timestamp::now();
    let clock = Instant::now();
    let mounts = MountTable::read()?;
    let scope = if options.paths.is_empty() {
        Scope::everything(&mounts)
    } else {
        Scope::below(&mounts, &options.paths)?
    };
    let tally = Tally::default();
    let zero = options.seed.hash(&[0; PAGE_SIZE]);
    let mut collected = Collected {
        mounts: &mounts,
        index: ContentIndex::new(zero),
        identity: Identities::default(),
        filesystems: HashMap::new(),
        keepers: Keepers::default(),
        writers: Writers::read(Path::new("/proc")),
    };
    let shared = SharedPages::of(&mounts);
    workers::run(
        &scope.roots,
        &shared,
        options.seed,
        &tally,
        progress,
        &mut |found| {
            collected.take(&found);
        },
    )?;
    Resolver::host().resolve(&mut collected.identity);
    let mut notes = scope.notes;
    notes.extend(shared.note(scope.roots.iter().map(|root| root.dev)));
    notes.extend(collected.writers.note());
    notes.extend(tally.notes(&rustix::system::uname().release().to_string_lossy()));
    Ok(Measurement {
        engine: Engine::User,
        started_at,
        duration: clock.elapsed(),
        seed_id: options.seed.id(),
        hooks: Vec::new(),
        events_lost: 0,
        complete: scope.complete && !tally.left_out() && !progress.stopped(),
        index: collected.index,
        identity: collected.identity,
        avoidable: None,
        notes,
    })
}

/// What the workers found so far.
struct Collected<'m> {
    mounts: &'m MountTable,
    index: ContentIndex,
    identity: Identities,
    filesystems: HashMap<Dev, usize>,
    /// Files whose pages the kernel keeps once.
    keepers: Keepers,
    /// Files that some process has mapped writably.
    writers: Writers,
}

impl Collected<'_> {
    fn take(&mut self, found: &Found) {
        let root = &found.file.candidate.tree.root;
        let (key, clean) = (found.file.key, has_clean_state(&root.fs_type));
        let index = &mut self.index;
        let inode = self
            .keepers
            .of(key, &found.frames, || index.intern(key, clean));
        if self.writers.have(root.dev, key.ino) {
            self.index.map_writably(inode, true);
        }
        for (page, observation) in &found.pages {
            self.index.insert(inode, *page, *observation);
        }
        let is_own = self.index.key(inode) == Some(&key);
        if is_own && self.identity.files.contains_key(&inode) {
            return;
        }
        let filesystem = self.filesystem(root.dev);
        let in_fs = found
            .file
            .candidate
            .path_in_fs()
            .into_os_string()
            .into_encoded_bytes();
        let path = self
            .mounts
            .display_path(root.dev, &in_fs)
            .map_or_else(|| found.file.candidate.path_here(), |(_, path)| path);
        let identity = FileIdentity {
            filesystem,
            path: printable(&path),
            named: true,
            deleted: false,
            size: found.file.size,
            links: found.file.links,
            place: Place {
                path_in_fs: Some(in_fs.into_boxed_slice()),
                ..Place::default()
            },
        };
        if is_own {
            self.identity.files.insert(inode, identity);
        } else {
            self.share(inode, &key, &identity);
        }
    }

    /// Notes that a file has the pages of `keeper`, which is another one's inode.
    fn share(&mut self, keeper: InodeId, key: &InodeKey, file: &FileIdentity) {
        let sharing = |path: &str, key: &InodeKey| SharingFile {
            path: path.to_owned(),
            dev: key.dev,
            ino: key.ino,
        };
        let shared = self.identity.shared.entry(keeper).or_default();
        let first = self.identity.files.get(&keeper);
        if let Some((first, key)) = first.zip(self.index.key(keeper))
            && shared.files.is_empty()
        {
            shared.files.push(sharing(&first.path, key));
        }
        let file = sharing(&file.path, key);
        if !shared.files.contains(&file) {
            shared.files.push(file);
        }
        shared.count = shared.files.len() as u64;
    }

    /// Position of a filesystem in the identities.
    fn filesystem(&mut self, dev: Dev) -> usize {
        *self.filesystems.entry(dev).or_insert_with(|| {
            self.identity.filesystems.push(self.mounts.filesystem(dev));
            self.identity.filesystems.len() - 1
        })
    }
}

#[cfg(test)]
mod tests;

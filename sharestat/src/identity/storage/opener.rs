//! Opens files by their place, when the path still leads to the inode that was measured.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::PathBuf,
};

use rustix::fs::{Mode, OFlags};

use super::super::mounts::MountTable;
use crate::model::{
    inode::{Dev, InodeId},
    measurement::Measurement,
};

/// What is known of a file that is to be opened.
#[derive(Clone, Debug)]
pub(super) struct Sought {
    /// Type of its filesystem.
    pub(super) fs_type: String,
    filesystem: Dev,
    path_in_fs: Box<[u8]>,
    dev: Dev,
    ino: u64,
    size: u64,
}

impl Sought {
    /// `None` for a file without a whole path.
    pub(super) fn of(measurement: &Measurement, inode: InodeId) -> Option<Self> {
        let identity = &measurement.identity;
        let (key, known) = (measurement.index.key(inode)?, identity.files.get(&inode)?);
        let filesystem = identity.filesystems.get(known.filesystem)?;
        // The inode of shared pages has no path; that of the first of their files is known.
        let first = identity
            .shared
            .get(&inode)
            .and_then(|shared| shared.files.first());
        let (dev, ino) = first.map_or((key.dev, key.ino), |file| (file.dev, file.ino));
        Some(Self {
            fs_type: filesystem.fs_type.clone(),
            filesystem: filesystem.dev,
            path_in_fs: known.place.path_in_fs.clone()?,
            dev,
            ino,
            size: known.size,
        })
    }
}

/// Opens files by their place.
pub(super) struct Opener {
    mounts: MountTable,
}

impl Opener {
    /// `None` when there is no mount table: then nothing has a path.
    pub(super) fn new() -> Option<Self> {
        MountTable::read().ok().map(|mounts| Self { mounts })
    }

    /// The file, when its path still leads to it and it has its size.
    pub(super) fn open(&self, measurement: &Measurement, inode: InodeId) -> Option<File> {
        let sought = Sought::of(measurement, inode)?;
        let file = self.open_any_size(&sought)?;
        (file.metadata().ok()?.size() == sought.size).then_some(file)
    }

    /// The file, when its path still leads to it.
    pub(super) fn open_any_size(&self, sought: &Sought) -> Option<File> {
        let place = self
            .mounts
            .display_path(sought.filesystem, &sought.path_in_fs);
        let file = open_quietly(&place?.1)?;
        let found = file.metadata().ok()?;
        let dev = Dev::new(
            rustix::fs::major(found.dev()),
            rustix::fs::minor(found.dev()),
        );
        // stat(2) shows a btrfs subvolume's own device.
        let same_dev = dev == sought.dev || sought.fs_type == "btrfs";
        (found.is_file() && found.ino() == sought.ino && same_dev).then_some(file)
    }
}

/// Without following a last symbolic link, waiting for a lease or changing the access time.
fn open_quietly(path: &PathBuf) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let open = |flags| rustix::fs::open(path, flags, Mode::empty());
    let opened: Result<OwnedFd, _> = open(flags | OFlags::NOATIME).or_else(|_| open(flags));
    opened.ok().map(File::from)
}

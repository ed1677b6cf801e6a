//! Finds the files below the roots of a scope: each directory once, no symbolic link
//! followed, no mount crossed. Works on a private clone of each mount where it may
//! (`open_tree`(2)), so that files hidden below mount points are found too.

use std::{
    collections::HashSet,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use rustix::{
    fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2},
    io::Errno,
    mount::{OpenTreeFlags, open_tree},
};

use super::tally::Tally;
use crate::{
    identity::{escape::path_of, scope::Root},
    progress::Progress,
};

/// A root of the scope, open.
pub(super) struct Tree {
    pub(super) root: Root,
    top: OwnedFd,
}

/// A file to look at: the tree it is in and its path below it, empty for the root of a
/// mount that is a single file.
pub(super) struct Candidate {
    pub(super) tree: Arc<Tree>,
    path: PathBuf,
}

impl Candidate {
    /// The path from the root of the filesystem.
    pub(super) fn path_in_fs(&self) -> PathBuf {
        self.below(path_of(&self.tree.root.path_in_fs))
    }

    /// The path in this mount namespace.
    pub(super) fn path_here(&self) -> PathBuf {
        self.below(&self.tree.root.directory)
    }

    fn below(&self, base: &Path) -> PathBuf {
        crate::identity::mounts::join(base, &self.path)
    }

    /// Opens it for reading without changing its access time where that is allowed.
    ///
    /// # Errors
    /// Whatever openat2(2) answers.
    pub(super) fn open(&self) -> Result<File, Errno> {
        // NONBLOCK: a FIFO put in the file's place, or a lease on it, must not stop us.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        if self.path.as_os_str().is_empty() {
            return open_quietly(
                &CWD,
                &self.tree.root.directory,
                flags,
                ResolveFlags::NO_SYMLINKS,
            );
        }
        open_quietly(&self.tree.top, &self.path, flags, BELOW)
    }
}

/// Nothing outside the tree: no symbolic link, no `..`, no other mount.
const BELOW: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_XDEV);

/// openat2(2) with `O_NOATIME`, and without where the caller is not the owner.
fn open_quietly(
    base: &impl rustix::fd::AsFd,
    path: &Path,
    flags: OFlags,
    resolve: ResolveFlags,
) -> Result<File, Errno> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    openat2(base, path, flags | OFlags::NOATIME, Mode::empty(), resolve)
        .or_else(|errno| match errno {
            Errno::PERM => openat2(base, path, flags, Mode::empty(), resolve),
            other => Err(other),
        })
        .map(File::from)
}

/// Walks all roots and hands each file to `found`, which says whether to go on.
pub(super) fn walk(
    roots: &[Root],
    tally: &Tally,
    progress: &Progress,
    found: &mut dyn FnMut(Candidate) -> bool,
) {
    let mut visited = HashSet::new();
    for root in roots {
        let Ok(tree) = open_root(root, tally) else {
            tally.unreadable_directories.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let tree = Arc::new(tree);
        let mut open = vec![PathBuf::new()];
        while let Some(path) = open.pop() {
            if progress.stopped() {
                return;
            }
            let mut entries = Entries {
                tree: &tree,
                open: &mut open,
                found: &mut *found,
            };
            let go_on = entries.read(&path, &mut visited).unwrap_or_else(|errno| {
                // Gone or replaced since it was listed, or a mount in a tree that could
                // not be cloned: that mount is a root of its own.
                if !matches!(
                    errno,
                    Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV
                ) {
                    tally.unreadable_directories.fetch_add(1, Ordering::Relaxed);
                }
                true
            });
            if !go_on {
                return;
            }
        }
    }
}

/// The clone shows the filesystem alone, without what is mounted in it, and goes away
/// with its descriptor. Without `CAP_SYS_ADMIN` the directory itself must do.
fn open_root(root: &Root, tally: &Tally) -> io::Result<Tree> {
    let clone = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_NO_AUTOMOUNT
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let top = open_tree(CWD, &root.directory, clone).or_else(|_| {
        tally.not_cloned.store(true, Ordering::Relaxed);
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::open(&root.directory, flags, Mode::empty())
    })?;
    Ok(Tree {
        root: root.clone(),
        top,
    })
}

/// Sorts the entries of one directory into directories to read and files to look at.
struct Entries<'a> {
    tree: &'a Arc<Tree>,
    open: &'a mut Vec<PathBuf>,
    found: &'a mut dyn FnMut(Candidate) -> bool,
}

impl Entries<'_> {
    /// False when `found` wants no more.
    fn read(&mut self, path: &Path, visited: &mut HashSet<(u64, u64)>) -> Result<bool, Errno> {
        let is_top = path.as_os_str().is_empty();
        let name = if is_top { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = match open_quietly(&self.tree.top, name, flags, BELOW) {
            // A bind mount of a single file.
            Err(Errno::NOTDIR) if is_top => return Ok(self.file(PathBuf::new())),
            other => other?,
        };
        let identity = fstat(&directory)?;
        if !visited.insert((identity.st_dev, identity.st_ino)) {
            return Ok(true);
        }
        for entry in Dir::new(OwnedFd::from(directory))? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let below = path.join(std::ffi::OsStr::from_bytes(name));
            let go_on = match entry.file_type() {
                FileType::RegularFile => self.file(below),
                FileType::Directory => {
                    self.open.push(below);
                    true
                }
                // Filesystems that do not say: a file that turns out to be a directory
                // fails with ENOTDIR there, and the other way round.
                FileType::Unknown => {
                    self.open.push(below.clone());
                    self.file(below)
                }
                _ => true,
            };
            if !go_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn file(&mut self, path: PathBuf) -> bool {
        (self.found)(Candidate {
            tree: Arc::clone(self.tree),
            path,
        })
    }
}

//! What is measured: the directories of filesystems that `--path` names, or the whole
//! machine. Both engines take it from here, so that the same `--path` means the same
//! files: the tree below the directory, with the filesystems mounted in it, and for an
//! overlay mount its layers, because that is where the pages are.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    escape::{path_of, printable},
    mounts::{Mount, MountTable, join},
    overlay,
};
use crate::model::inode::Dev;

/// An overlay may lie on an overlay, no deeper (`FILESYSTEM_MAX_STACK_DEPTH`, 2).
const MAX_STACK_DEPTH: usize = 2;

/// Filesystems without files whose pages could be shared: interfaces of the kernel,
/// and hugetlbfs, whose pages are not 4 KiB.
const PSEUDO: [&str; 27] = [
    "autofs",
    "bdev",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "cpuset",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "functionfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nfsd",
    "nsfs",
    "pipefs",
    "proc",
    "pstore",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
];

/// Whether a filesystem type is an interface of the kernel and not a place for files.
#[must_use]
pub fn is_pseudo(fs_type: &str) -> bool {
    PSEUDO.contains(&fs_type) || matches!(fs_type, "fuse.lxcfs" | "fuse.portal")
}

/// Whether pages of this filesystem type are ever clean: tmpfs and ramfs have no backing
/// store, so nothing of them is eligible for sharing.
#[must_use]
pub fn has_clean_state(fs_type: &str) -> bool {
    !matches!(fs_type, "tmpfs" | "ramfs" | "rootfs" | "devtmpfs")
}

/// Why a scope cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// Does not exist, or cannot be reached.
    #[error("cannot measure '{}': {error}; '--path' needs a directory that exists", printable(.path))]
    Unreachable {
        /// The path as given.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// Exists, and is no directory.
    #[error("cannot measure '{}': it is not a directory; give '--path' the directory above it", printable(.path))]
    NotADirectory {
        /// The path as given.
        path: PathBuf,
    },
}

/// One directory of one filesystem, with everything of that filesystem below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// `s_dev` of the filesystem.
    pub dev: Dev,
    /// Type of the filesystem.
    pub fs_type: String,
    /// The directory as the filesystem numbers it: from its own root.
    pub path_in_fs: Vec<u8>,
    /// The same directory from this mount namespace.
    pub directory: PathBuf,
}

/// The files to measure.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Directories, outer ones first. They may overlap.
    pub roots: Vec<Root>,
    /// What the user should know about how `--path` was understood.
    pub notes: Vec<String>,
    /// Nothing that was asked for is out of reach.
    pub complete: bool,
    /// The roots, to find them fast: a directory is below a mount once.
    known: HashSet<(Dev, PathBuf)>,
    /// The notes, likewise.
    noted: HashSet<String>,
}

impl Scope {
    /// These directories.
    #[cfg(test)]
    pub(crate) fn of_roots(roots: Vec<Root>) -> Self {
        let mut scope = Self {
            roots,
            complete: true,
            ..Self::default()
        };
        scope.sort();
        scope
    }

    /// Every filesystem that a path can reach. Layers of overlay mounts that can be reached
    /// are on one of them.
    #[must_use]
    pub fn everything(mounts: &MountTable) -> Self {
        let mut scope = Self {
            complete: true,
            ..Self::default()
        };
        for mount in mounts.visible() {
            if overlay::is_overlay(mount) {
                scope.note_missing(&mount.mount_point, &overlay::layers(mount));
            } else {
                scope.add_mount(mounts, mount, &mount.mount_point, 0);
            }
        }
        scope.sort();
        scope
    }

    /// What lies below the directories.
    ///
    /// # Errors
    /// When one does not exist or is no directory.
    pub fn below(mounts: &MountTable, directories: &[PathBuf]) -> Result<Self, ScopeError> {
        let mut scope = Self {
            complete: true,
            ..Self::default()
        };
        for path in directories {
            let unreachable = |error| ScopeError::Unreachable {
                path: path.clone(),
                error,
            };
            let directory = fs::canonicalize(path).map_err(unreachable)?;
            if !fs::metadata(&directory).map_err(unreachable)?.is_dir() {
                return Err(ScopeError::NotADirectory { path: path.clone() });
            }
            scope.add_tree(mounts, &directory, 0);
        }
        scope.sort();
        Ok(scope)
    }

    /// Whether a file, by its path from the root of its filesystem, is to be measured.
    #[must_use]
    pub fn contains(&self, dev: Dev, path_in_fs: &[u8]) -> bool {
        let path = path_of(path_in_fs);
        self.of_dev(dev)
            .any(|root| path.starts_with(path_of(&root.path_in_fs)))
    }

    /// Whether anything of a filesystem is to be measured.
    #[must_use]
    pub fn reaches(&self, dev: Dev) -> bool {
        self.of_dev(dev).next().is_some()
    }

    /// The roots on a filesystem: they are in the order of their filesystems.
    fn of_dev(&self, dev: Dev) -> impl Iterator<Item = &Root> {
        let first = self.roots.partition_point(|root| root.dev < dev);
        let rest = self.roots.get(first..).unwrap_or_default();
        rest.iter().take_while(move |root| root.dev == dev)
    }

    /// A directory and the mounts below it.
    fn add_tree(&mut self, mounts: &MountTable, directory: &Path, depth: usize) {
        if let Some(mount) = mounts.filesystem_of(directory) {
            if is_pseudo(&mount.fs_type) {
                self.note(format!(
                    "'{}' is on {}, an interface of the kernel: nothing there could be shared, and nothing of it was measured",
                    printable(directory),
                    mount.fs_type
                ));
            }
            self.add_mount(mounts, mount, directory, depth);
        }
        for mount in mounts.visible() {
            if mount.mount_point != directory && mount.mount_point.starts_with(directory) {
                self.add_mount(mounts, mount, &mount.mount_point, depth);
            }
        }
    }

    /// A directory on a mount, without the mounts below it.
    fn add_mount(&mut self, mounts: &MountTable, mount: &Mount, directory: &Path, depth: usize) {
        if overlay::is_overlay(mount) {
            self.add_overlay(mounts, mount, directory, depth);
        } else if !is_pseudo(&mount.fs_type) {
            // A mount found by `filesystem_of` is above the directory.
            let below = directory
                .strip_prefix(&mount.mount_point)
                .unwrap_or(Path::new(""));
            let root = Root {
                dev: mount.dev,
                fs_type: mount.fs_type.clone(),
                path_in_fs: join(path_of(&mount.root), below)
                    .into_os_string()
                    .into_encoded_bytes(),
                directory: directory.to_path_buf(),
            };
            if self.known.insert((root.dev, root.directory.clone())) {
                self.roots.push(root);
            }
        }
    }

    /// The same directory in each layer of an overlay mount. Files that an upper layer
    /// hides are included: they are the layer's, and other mounts may show them.
    fn add_overlay(&mut self, mounts: &MountTable, mount: &Mount, directory: &Path, depth: usize) {
        let shown = printable(directory);
        let layers = overlay::layers(mount);
        let below = directory
            .strip_prefix(&mount.mount_point)
            .unwrap_or(Path::new(""));
        if depth < MAX_STACK_DEPTH {
            let inside = |layer: &PathBuf| join(layer, below);
            for layer in layers
                .found
                .iter()
                .map(inside)
                .filter(|layer| layer.is_dir())
            {
                self.add_tree(mounts, &layer, depth + 1);
            }
            self.note(format!(
                "'{shown}' is an overlay mount, which has no page cache of its own: its {} layers were measured",
                layers.found.len()
            ));
        }
        self.note_missing(&mount.mount_point, &layers);
    }

    fn note_missing(&mut self, mount_point: &Path, layers: &overlay::Layers) {
        for layer in &layers.missing {
            self.complete = false;
            self.note(format!(
                "layer '{}' of the overlay mount '{}' cannot be reached from this mount namespace: files that only it holds were not measured",
                printable(layer),
                printable(mount_point)
            ));
        }
    }

    fn note(&mut self, note: String) {
        if self.noted.insert(note.clone()) {
            self.notes.push(note);
        }
    }

    /// Outer directories first: a walk that comes to a directory a second time stops.
    fn sort(&mut self) {
        self.roots
            .sort_by_key(|root| (root.dev, root.path_in_fs.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(lines: &str) -> MountTable {
        MountTable::parse(lines.as_bytes()).expect("the lines are mounts")
    }

    #[test]
    fn a_path_includes_what_is_mounted_below_it_and_no_pseudo_filesystem() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let top = directory.path().canonicalize().expect("it exists");
        let shown = top.display();
        let table = table(&format!(
            "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 /sub {shown}/disk rw - xfs b rw\n\
             3 1 0:5 / {shown}/proc rw - proc proc rw\n4 1 8:3 / /elsewhere rw - ext4 c rw\n"
        ));
        let scope = Scope::below(&table, std::slice::from_ref(&top)).expect("it is a directory");
        let devs: Vec<Dev> = scope.roots.iter().map(|root| root.dev).collect();
        assert_eq!(devs, [Dev::new(8, 1), Dev::new(8, 2)]);
        assert!(scope.contains(Dev::new(8, 2), b"/sub/file"));
        assert!(!scope.contains(Dev::new(8, 2), b"/subway"));
        assert!(!scope.contains(Dev::new(8, 3), b"/file"));
    }

    #[test]
    fn a_path_in_an_overlay_means_its_layers() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let top = directory.path().canonicalize().expect("it exists");
        for name in ["m/etc", "up/etc", "low/usr"] {
            fs::create_dir_all(top.join(name)).expect("a directory");
        }
        let shown = top.display();
        let table = table(&format!(
            "1 0 8:1 / / rw - ext4 a rw\n\
             2 1 0:9 / {shown}/m rw - overlay o rw,lowerdir={shown}/low:/gone,upperdir={shown}/up\n"
        ));
        let scope = Scope::below(&table, &[top.join("m/etc")]).expect("it is a directory");
        let directories: Vec<PathBuf> = scope.roots.iter().map(|r| r.directory.clone()).collect();
        assert_eq!(directories, [top.join("up/etc")]);
        assert!(!scope.complete);
        assert!(
            scope
                .notes
                .iter()
                .any(|note| note.contains("layer '/gone'")),
            "{:?}",
            scope.notes
        );
    }

    #[test]
    fn a_path_that_is_not_a_directory_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let mounts = table("1 0 8:1 / / rw - ext4 a rw\n");
        let error = Scope::below(&mounts, &[file.path().to_path_buf()]).expect_err("it is a file");
        assert!(matches!(error, ScopeError::NotADirectory { .. }));
        let error = Scope::below(&mounts, &[PathBuf::from("/no/such")]).expect_err("not there");
        assert!(error.to_string().contains("'/no/such'"), "{error}");
    }
}

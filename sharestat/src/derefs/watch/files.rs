//! The files that watching is restricted to. In: paths. Out: whether a folio is of one.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{major, minor};

/// Inodes by device (kernel encoding) and number.
#[derive(Clone, Debug, Default)]
pub struct Files {
    paths: Vec<PathBuf>,
    inodes: HashSet<(u32, u64)>,
}

impl Files {
    /// Files below `paths`, which may be files themselves; none means all files.
    #[must_use]
    pub fn below(paths: &[PathBuf]) -> Self {
        Self {
            paths: paths.to_vec(),
            inodes: HashSet::new(),
        }
    }

    /// Looks for the files again: they come and go.
    ///
    /// # Errors
    /// When one of the paths cannot be read.
    pub fn refresh(&mut self) -> io::Result<()> {
        let mut inodes = HashSet::new();
        for path in &self.paths {
            add(&path.canonicalize()?, &mut inodes)?;
        }
        self.inodes = inodes;
        Ok(())
    }

    /// Whether the file with this device (kernel encoding) and inode number is wanted.
    #[must_use]
    pub fn wants(&self, dev: u32, ino: u64) -> bool {
        self.paths.is_empty() || self.inodes.contains(&(dev, ino))
    }
}

/// `s_dev` of the kernel from `st_dev`: major << 20 | minor.
#[must_use]
fn kernel_device(dev: u64) -> u32 {
    (major(dev) << 20) | minor(dev)
}

/// `s_dev` of the filesystem that `path` is on; subvolumes of btrfs have none of their own.
///
/// # Errors
/// When the path cannot be read.
pub fn device_of(path: &Path) -> io::Result<u32> {
    Ok(kernel_device(fs::metadata(path)?.dev()))
}

fn add(path: &Path, inodes: &mut HashSet<(u32, u64)>) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_file() {
        inodes.insert((kernel_device(metadata.dev()), metadata.ino()));
    } else if metadata.is_dir() {
        for entry in fs::read_dir(path)?.flatten() {
            // A file that went away meanwhile is no longer wanted.
            let _ = add(&entry.path(), inodes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_a_directory_are_wanted_and_others_are_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let inside = directory.path().join("inside");
        fs::write(&inside, b"x").expect("a file");
        let metadata = fs::metadata(&inside).expect("it is there");
        let mut files = Files::below(&[directory.path().to_owned()]);
        files.refresh().expect("it lists");
        let dev = kernel_device(metadata.dev());
        assert!(files.wants(dev, metadata.ino()));
        assert!(!files.wants(dev, metadata.ino() + 1));
        assert!(Files::below(&[]).wants(dev, 1));
        assert!(Files::below(&["/nowhere/at/all".into()]).refresh().is_err());
    }
}

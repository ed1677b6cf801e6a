//! The step that maps files it is given, on whatever filesystem: an overlay, an image, a
//! block device. They are only read.

use std::{
    fs::{self, File},
    io::{self, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    mapping::{Access, Mapping},
    stage::{Prop, Stage, Stop},
};

/// Most files that are mapped, and bytes of each.
const MOST_FILES: usize = 64;
const MOST_BYTES: u64 = 4 << 20;

/// Maps what is at `path`, a file, a block device or a directory; returns how many files.
pub(super) fn map(stage: &mut Stage<'_>, path: &Path) -> Result<usize, Stop> {
    let mut files = Vec::new();
    find(path, &mut files)?;
    let mut mapped = 0;
    for path in files {
        let mut file = File::open(&path)?;
        let length = file.seek(SeekFrom::End(0))?.min(MOST_BYTES);
        let Some(bytes) = usize::try_from(length).ok().filter(|bytes| *bytes > 0) else {
            continue;
        };
        let prop = Prop { file, path, bytes };
        prop.read()?;
        let mut touch = || {
            let mapping = Mapping::new(&prop.file, prop.bytes, Access::Read)?;
            mapping.read_all();
            Ok(())
        };
        match stage.watch(&prop, &mut touch) {
            // Folios whose inode has another number than the file (a device, an overlay of
            // several filesystems) are not watched; the faults count all the same.
            Err(Stop::Cannot(_)) => touch()?,
            done => done?,
        }
        mapped += 1;
    }
    Ok(mapped)
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if files.len() >= MOST_FILES {
        return Ok(());
    }
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        if !metadata.is_symlink() {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| find(entry, files))
}

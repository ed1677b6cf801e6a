//! A plain directory as one layer: regular files as pages. Symbolic links are not
//! followed, nodes are not opened.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use super::{
    error::Error,
    layer::Contents,
    limits::{Limits, Room},
    pages::{self, Content},
    parallel, path,
};
use crate::{model::units::PAGE_SIZE, progress::Progress, seed::Seed};

/// Reads a directory.
///
/// # Errors
/// When the directory itself cannot be listed, or there is more in it than may be.
pub(super) fn read(
    root: &Path,
    seed: Seed,
    limits: Limits,
    space: &Room,
    progress: &Progress,
) -> Result<Contents, Error> {
    let (mut contents, files) = walk(root, space, progress)?;
    let sum = files
        .iter()
        .try_fold(0_u64, |sum, (_, size)| sum.checked_add(*size));
    if sum.is_none_or(|sum| sum > limits.layer_bytes) {
        return Err(Error::refused(
            root,
            "its files hold more bytes than a layer may; '--max-layer' raises the limit",
        ));
    }
    let read = |(file, size): &(PathBuf, u64)| {
        if progress.stopped() {
            return Ok(None);
        }
        let content = open(file).and_then(|opened| pages::content(opened.take(*size), *size, seed));
        progress.add_files(1);
        Ok::<_, Error>(
            content
                .ok()
                .inspect(|content| progress.add_pages(content.pages.len() as u64)),
        )
    };
    let found = parallel::each(&files, read)?;
    for (number, (content, (_, size))) in found.into_iter().zip(&files).enumerate() {
        if content.is_none() {
            contents.left_out.unreadable += 1;
            contents.unreadable.insert(number, size.div_ceil(PAGE_SIZE));
        }
        contents.files.push(content.unwrap_or(Content {
            size: *size,
            pages: Box::default(),
        }));
    }
    Ok(contents)
}

/// Opens a regular file without following a link or waiting for the other end of a FIFO
/// that took its place.
fn open(file: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(file, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(file)
}

/// All names, and the files to read, one for all names of an inode.
fn walk(
    root: &Path,
    space: &Room,
    progress: &Progress,
) -> Result<(Contents, Vec<(PathBuf, u64)>), Error> {
    let mut contents = Contents::default();
    let mut files = Vec::new();
    let mut known: HashMap<(u64, u64), usize> = HashMap::new();
    let mut open = vec![(root.to_path_buf(), Vec::new())];
    while let Some((directory, inside)) = open.pop() {
        let listed = match fs::read_dir(&directory) {
            Ok(listed) => listed,
            Err(error) if inside.is_empty() => return Err(Error::io(&directory, error)),
            Err(_) => {
                contents.left_out.unreadable += 1;
                continue;
            }
        };
        for entry in listed {
            let entry = entry.map_err(|error| Error::io(&directory, error))?;
            let name = path::join(&inside, entry.file_name().as_bytes());
            if progress.stopped() {
                return Ok((contents, files));
            }
            let taken = space
                .take_entry()
                .and_then(|()| space.take_names(name.len()));
            taken.map_err(|why| Error::refused(root, why))?;
            let Ok(metadata) = entry.metadata() else {
                contents.left_out.unreadable += 1;
                continue;
            };
            let kind = metadata.file_type();
            let mut file = None;
            if kind.is_dir() {
                contents.directories.insert(name.clone());
                open.push((entry.path(), name.clone()));
            } else if kind.is_file() {
                let inode = (metadata.dev(), metadata.ino());
                file = Some(*known.entry(inode).or_insert_with(|| {
                    files.push((entry.path(), metadata.len()));
                    files.len() - 1
                }));
            } else if !kind.is_symlink() {
                contents.left_out.nodes += 1;
            }
            contents.names.insert(name, file);
        }
    }
    Ok((contents, files))
}

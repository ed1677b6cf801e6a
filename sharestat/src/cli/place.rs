//! Where the bytes for a path go: over a regular file, which is replaced whole or not at
//! all, or straight into what is none, a device or a pipe, which is never replaced.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, BufWriter, ErrorKind, Write as _},
    os::{
        fd::AsFd as _,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    },
    path::{Path, PathBuf},
};

/// Links to nothing that are followed, as many as the kernel follows.
const MOST_LINKS: usize = 40;

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Place {
    /// A regular file, and what it was; or a place where nothing is yet.
    File(PathBuf, Option<Metadata>),
    /// A device, a FIFO or a pipe, open for writing.
    Stream(File),
}

impl Place {
    /// Looks where a path leads.
    ///
    /// # Errors
    /// When it cannot be looked at, or what is there cannot be opened for writing.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            // The kernel follows the links, and refuses those that others left for us in
            // directories like /tmp (fs.protected_symlinks).
            match fs::metadata(&path) {
                Ok(found) => return Self::there(path, found),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let Ok(target) = fs::read_link(&path) else {
                        return Ok(Self::File(path, None));
                    };
                    path = path.with_file_name("").join(target);
                }
                Err(error) => return Err(error),
            }
        }
        Err(rustix::io::Errno::LOOP.into())
    }

    fn there(path: PathBuf, found: Metadata) -> io::Result<Self> {
        // '/dev/stdout >> FILE': what is in the file already stays.
        if is_stdout(&found) {
            let stdout = io::stdout().as_fd().try_clone_to_owned()?;
            return Ok(Self::Stream(stdout.into()));
        }
        if !found.is_file() {
            return Ok(Self::Stream(OpenOptions::new().write(true).open(path)?));
        }
        let Ok(real) = path.canonicalize() else {
            // A file without a name, by its descriptor.
            let file = OpenOptions::new().write(true).truncate(true).open(path)?;
            return Ok(Self::Stream(file));
        };
        let now = fs::symlink_metadata(&real)?;
        if (now.dev(), now.ino()) != (found.dev(), found.ino()) {
            return Err(io::Error::other("it changed while it was looked at"));
        }
        Ok(Self::File(real, Some(found)))
    }

    /// Writes to it.
    ///
    /// # Errors
    /// What went wrong. Of a file nothing is left then.
    pub(super) fn write(
        self,
        content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            Self::File(path, before) => replace(&path, before.as_ref(), content),
            Self::Stream(file) => {
                let mut out = BufWriter::new(file);
                let written = content(&mut out).and_then(|()| out.flush());
                if written.is_err() {
                    // What is still buffered is not wanted there: do not try on drop.
                    let _ = out.into_parts();
                }
                written
            }
        }
    }
}

fn is_stdout(found: &Metadata) -> bool {
    // A closed one is no place.
    rustix::fs::fstat(io::stdout())
        .is_ok_and(|stdout| (stdout.st_dev, stdout.st_ino) == (found.dev(), found.ino()))
}

/// Writes beside the target, syncs, renames: a reader sees the old file or the new one.
fn replace(
    path: &Path,
    before: Option<&Metadata>,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = beside(path)?;
    let written = (|| {
        // Who may not read the old file may not read the new one half written.
        let mode = if before.is_some() { 0o600 } else { 0o666 };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let mut out = BufWriter::new(options.open(&temporary)?);
        content(&mut out)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        if let Some(before) = before {
            keep(&file, before)?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // Not there when it could not even be made.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Gives a file the owner and the mode of the one that it replaces.
fn keep(file: &File, before: &Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid())
        && fchown(file, Some(before.uid()), Some(before.gid())).is_err()
    {
        // Only root gives files away; a group of ours can be kept.
        let _ = fchown(file, None, Some(before.gid()));
    }
    file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o777))
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(ErrorKind::InvalidFilename))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(hidden))
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;

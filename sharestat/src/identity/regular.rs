//! Opens files that somebody else may have put there: a store in a home directory belongs
//! to its user, and a pipe in place of a file would hold up whoever reads it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Opens a regular file for reading, never waiting for a writer.
///
/// # Errors
/// When it cannot be opened, or is something else.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

/// The bytes of a regular file of at most `most` bytes.
///
/// # Errors
/// As [`open`], and when there are more.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let why = format!("it has more than {most} bytes, more than metadata should have");
        return Err(io::Error::other(why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_pipe_or_a_folder_in_place_of_a_file_is_an_error_at_once() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let pipe = place.path().join("layers.json");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
        for path in [&pipe, place.path()] {
            let error = read(path, 10).expect_err("it is no file");
            assert!(error.to_string().contains("no regular file"), "{error}");
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let path = place.path().join("a");
        std::fs::write(&path, "12345").expect("a file");
        assert_eq!(read(&path, 5).expect("it fits"), b"12345");
        assert!(read(&path, 4).is_err());
    }
}

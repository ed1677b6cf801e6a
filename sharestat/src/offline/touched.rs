//! A list of files that are read while the images run: one path a line, as inside the
//! container.

use std::{collections::HashSet, fs, path::Path};

use super::{error::Error, path};
use crate::identity::escape::printable;

/// The largest list.
const MOST_BYTES: u64 = 1 << 30;

/// Paths, relative to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    paths: HashSet<Vec<u8>>,
}

impl Touched {
    /// Reads a list.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or has a line that is no path inside a container.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let length = fs::metadata(file)
            .map_err(|source| Error::io(file, source))?
            .len();
        let wrong = |why: String| Error::Touched {
            path: printable(file),
            why,
        };
        if length > MOST_BYTES {
            return Err(wrong("it is larger than 1 GiB".to_owned()));
        }
        let text = fs::read(file).map_err(|source| Error::io(file, source))?;
        Self::parse(&text).map_err(wrong)
    }

    /// Reads the text of a list.
    ///
    /// # Errors
    /// When it is empty, or which line is no path inside a container.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut paths = HashSet::new();
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let path = path::normal(line).map_err(|why| format!("line {number}: {why}"))?;
            paths.insert(path);
        }
        if paths.is_empty() {
            return Err("it names no file; write one path a line".to_owned());
        }
        Ok(Self { paths })
    }

    pub(super) fn has(&self, path: &[u8]) -> bool {
        self.paths.contains(path)
    }

    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }
}

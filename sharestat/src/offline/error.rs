//! Why images cannot be read, or are refused: sentences for the user.

use std::{io, path::Path};

use crate::identity::escape::printable;

/// What went wrong, in a sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read '{path}': {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system or the decompressor said.
        source: io::Error,
    },
    /// The image is not whole, or not an image.
    #[error("'{path}' is no image that can be read: {why}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The image is whole, and reading it could do harm.
    #[error("refused '{path}': {why}")]
    Refused {
        /// The file.
        path: String,
        /// What it holds.
        why: String,
    },
    /// The list of touched files cannot be used.
    #[error("the list of files '{path}' cannot be used: {why}")]
    Touched {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

impl Error {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: printable(path),
            source,
        }
    }

    pub(super) fn malformed(path: &Path, why: impl Into<String>) -> Self {
        Self::Malformed {
            path: printable(path),
            why: why.into(),
        }
    }

    pub(super) fn refused(path: &Path, why: impl Into<String>) -> Self {
        Self::Refused {
            path: printable(path),
            why: why.into(),
        }
    }
}

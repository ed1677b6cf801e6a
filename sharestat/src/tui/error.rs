//! What can go wrong with the terminal or a file that the screen writes.

use std::{io, path::PathBuf};

/// An error of the screen.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// The terminal failed.
    #[error("{doing} failed on the terminal: {source}; 'top --once' needs none")]
    Terminal {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A frame could not be written.
    #[error("writing the frame to '{}' failed: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl TuiError {
    /// For `map_err` on what the terminal was asked to do.
    pub(super) const fn terminal(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Terminal { doing, source }
    }
}

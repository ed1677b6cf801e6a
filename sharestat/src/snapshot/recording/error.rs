//! What can go wrong with a recording.

use std::{io, path::PathBuf};

/// A recording that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be made.
    #[error("cannot create the recording '{}': {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Writing failed part of the way.
    #[error(
        "cannot write to the recording: {source}; it can be played up to what was written before"
    )]
    Write {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read the recording '{name}': {source}")]
    Read {
        /// The file.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Not a recording.
    #[error("'{name}' is no recording of sharestat: {reason}")]
    Foreign {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A recording that a later version made.
    #[error(
        "the recording '{name}' was made by a newer version of sharestat (its format is '{found}'); use a newer sharestat"
    )]
    Newer {
        /// The file.
        name: String,
        /// What it says of its format.
        found: String,
    },
    /// Whole blocks say what no measurement can have said.
    #[error("the recording '{name}' contradicts itself at block {block}: {reason}")]
    Contradiction {
        /// The file.
        name: String,
        /// Counted from 0.
        block: u64,
        /// What is wrong.
        reason: String,
    },
}

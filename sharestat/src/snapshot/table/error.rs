//! Why a file is not a table of pages that can be used.

/// One sentence each.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Not Parquet from its first byte to its last.
    #[error(
        "'{name}' is cut off or damaged: {reason}; write the snapshot anew with 'sharestat scan -o FILE.parquet'"
    )]
    Damaged {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Parquet of something else.
    #[error(
        "'{name}' is a Parquet file of something else: {reason}; write a snapshot with 'sharestat scan -o FILE.parquet'"
    )]
    Foreign {
        /// The file.
        name: String,
        /// What it lacks.
        reason: String,
    },
    /// A snapshot that a later version wrote.
    #[error(
        "'{name}' is of schema '{found}', newer than '{known}' that this version reads; use a newer sharestat",
        known = super::SCHEMA
    )]
    Newer {
        /// The file.
        name: String,
        /// The schema.
        found: String,
    },
}

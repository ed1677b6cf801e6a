//! Why the engine without BPF cannot measure.

use std::{io, path::PathBuf};

use crate::identity::{escape::printable, mounts::MountsError, scope::ScopeError};

/// A failure that ends the measurement. Files that cannot be read do not: they are
/// counted in the notes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mount table could not be read.
    #[error(transparent)]
    Mounts(#[from] MountsError),
    /// `--path` names nothing that can be measured.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// mincore(2) answers "resident" for every page of a file that the caller neither
    /// owns nor may write (`can_do_mincore`, mm/mincore.c).
    #[error(
        "cannot tell which pages of '{}' are cached: the kernel reports all of a file as cached to users who neither own it nor may write it; run as root, or give '--path' a directory with files of your own",
        printable(.path)
    )]
    Residency {
        /// The first such file.
        path: PathBuf,
    },
    /// Resources that the engine itself needs.
    #[error(
        "cannot prepare the scan: {what} failed: {error}; look at the limits of this process (ulimit -a) and its seccomp profile"
    )]
    Prepare {
        /// The system call or resource.
        what: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
}

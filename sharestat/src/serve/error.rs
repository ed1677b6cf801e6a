//! Why a service cannot be started.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why a service cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error(
        "cannot listen on '{address}': {source}; give an address and a port, as in '127.0.0.1:9934'"
    )]
    Address {
        /// What was asked for.
        address: String,
        /// Why it is none.
        source: io::Error,
    },
    /// Another program listens there.
    #[error(
        "cannot listen on '{address}': the port is in use; stop the program that uses it, or give another with '--listen'"
    )]
    InUse {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The address or port is not to be had.
    #[error("cannot listen on '{address}': {source}; give another with '--listen'")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read the {what} '{}': {source}", path.display())]
    Read {
        /// What it was to hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("cannot use the {what} '{}': {why}", path.display())]
    Content {
        /// What it was to hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
}

impl Error {
    /// Whether a privilege would help.
    #[must_use]
    pub fn is_privilege(&self) -> bool {
        let (Self::Listen { source, .. } | Self::Read { source, .. }) = self else {
            return false;
        };
        source.kind() == io::ErrorKind::PermissionDenied
    }
}

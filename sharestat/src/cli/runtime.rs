//! The runtime of commands that wait for several things at once: one thread, because one
//! thread owns the collector.

use tokio::runtime::{Builder, Runtime};

use crate::kernel;

/// A runtime on this thread.
///
/// # Errors
/// When the system has no descriptors left for it.
pub(super) fn new() -> Result<Runtime, kernel::Error> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| kernel::Error::Runtime { source })
}

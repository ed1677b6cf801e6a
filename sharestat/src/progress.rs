//! How far a measurement is, and the wish to stop it: counters that an engine moves and
//! the command line reads while the engine works.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Shared between an engine and whoever watches it. Cloning shares.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Counters {
    files: AtomicU64,
    pages: AtomicU64,
}

impl Progress {
    /// Counts files that were looked at.
    pub fn add_files(&self, files: u64) {
        self.counters.files.fetch_add(files, Ordering::Relaxed);
    }

    /// Counts resident pages that were looked at.
    pub fn add_pages(&self, pages: u64) {
        self.counters.pages.fetch_add(pages, Ordering::Relaxed);
    }

    /// Files looked at so far.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.counters.files.load(Ordering::Relaxed)
    }

    /// Resident pages looked at so far.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.counters.pages.load(Ordering::Relaxed)
    }

    /// The flag that a signal handler may set to stop the measurement.
    #[must_use]
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Whether the measurement is to end with what it has.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

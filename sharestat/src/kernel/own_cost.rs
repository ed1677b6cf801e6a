//! What this process itself takes.

use std::time::Duration;

use procfs::process::Process;
use rustix::time::{ClockId, clock_gettime};

use crate::model::units::Bytes;

/// CPU time that this process has used.
pub(crate) fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Resident memory of this process. The ring buffer is in it twice, because its data is
/// mapped twice.
pub(crate) fn resident_memory() -> Bytes {
    let statm = Process::myself().and_then(|process| process.statm());
    Bytes(statm.map_or(0, |statm| statm.resident * procfs::page_size()))
}

/// Returns freed memory to the kernel.
///
/// Reading BTF and loading the programs takes some 20 MiB once, and a census more, in small
/// pieces that the C library would keep for as long as a measurement runs.
pub(crate) fn return_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the function may be called at any time, from any thread (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}

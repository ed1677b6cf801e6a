//! Files to read, and reading them from nothing: how long it takes and how much time on
//! a processor.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::{
    fs::{Advice, fadvise},
    thread::gettid,
    time::{ClockId, clock_gettime},
};

use crate::process::Run as _;

/// Bytes of each file.
pub(super) const BYTES: u64 = 256 << 20;

/// Bytes of one read.
const CHUNK: usize = 128 << 10;

/// What one reading took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// From start to end, in seconds.
    pub(super) real: f64,
    /// On a processor, in seconds.
    pub(super) on_processor: f64,
}

/// A file all of one hole: reading it fills the page cache and asks no disk.
pub(super) fn sparse(folder: &Path) -> Result<File> {
    let file = unnamed(folder)?;
    file.set_len(BYTES)
        .context("a sparse file cannot be made")?;
    Ok(file)
}

/// A file of random bytes on the disk.
pub(super) fn solid(folder: &Path) -> Result<File> {
    let mut file = unnamed(folder)?;
    let mut random = File::open("/dev/urandom").context("'/dev/urandom' cannot be read")?;
    let mut chunk = vec![0; 1 << 20];
    for _ in 0..BYTES >> 20 {
        random
            .read_exact(&mut chunk)
            .and_then(|()| file.write_all(&chunk))
            .context("a file cannot be filled")?;
    }
    file.sync_all().context("a file cannot be synced")?;
    Ok(file)
}

fn unnamed(folder: &Path) -> Result<File> {
    tempfile::tempfile_in(folder)
        .with_context(|| format!("no file can be made in '{}'", folder.display()))
}

/// Drops the file from the page cache and reads it all, `times` times, by a thread that
/// goes before all ordinary processes: what it waits for is not another program.
pub(super) fn read_cold_often(file: &File, times: usize) -> Result<Vec<Cost>> {
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            // Without the right to do so it stays an ordinary thread.
            let _ = Command::new("chrt")
                .args(["-f", "-p", "1"])
                .arg(gettid().as_raw_nonzero().to_string())
                .bytes();
            (0..times).map(|_| read_cold(file)).collect()
        });
        match reader.join() {
            Ok(costs) => costs,
            Err(_) => bail!("the reading thread panicked"),
        }
    })
}

fn read_cold(file: &File) -> Result<Cost> {
    fadvise(file, 0, None, Advice::DontNeed).context("a file cannot be dropped from the cache")?;
    let mut chunk = vec![0; CHUNK];
    let (begun, before) = (Instant::now(), thread_time());
    for place in (0..BYTES).step_by(CHUNK) {
        file.read_exact_at(&mut chunk, place)
            .context("a file cannot be read")?;
    }
    Ok(Cost {
        real: begun.elapsed().as_secs_f64(),
        on_processor: thread_time().saturating_sub(before).as_secs_f64(),
    })
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

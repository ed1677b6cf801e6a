//! While a measurement runs: SIGINT and SIGTERM ask it to stop and print what it has, a
//! second one ends at once; a line on the terminal says how far it is.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{RecvTimeoutError, sync_channel},
    },
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use super::exit::{Exit, Failure};
use crate::progress::Progress;

const EVERY: Duration = Duration::from_millis(200);

/// Runs a measurement with signals and, on a terminal, the progress line.
///
/// # Errors
/// When signal handlers cannot be set, or what the measurement returns.
pub(super) fn watched<T, E: Into<Failure>>(
    quiet: bool,
    measure: impl FnOnce(&Progress) -> Result<T, E>,
) -> Result<(T, bool), Failure> {
    let progress = Progress::default();
    catch_signals(&progress.stop_flag()).map_err(|error| {
        Failure::new(
            Exit::Kernel,
            format!("cannot handle signals: {error}; look at the seccomp profile"),
        )
    })?;
    let (done, finished) = sync_channel::<()>(1);
    let measured = thread::scope(|threads| {
        if !quiet && io::stderr().is_terminal() {
            let progress = &progress;
            threads.spawn(move || {
                while finished.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    let _ = write!(
                        io::stderr(),
                        "\r\x1b[K{} files, {} cached pages",
                        progress.files(),
                        progress.pages()
                    );
                }
                let _ = write!(io::stderr(), "\r\x1b[K");
            });
        }
        let measured = measure(&progress);
        drop(done);
        measured
    });
    measured
        .map(|result| (result, progress.stopped()))
        .map_err(Into::into)
}

/// The order matters: the shutdown is armed by the signal after the one that stops.
pub(super) fn catch_signals(stop: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, Arc::clone(stop))?;
        flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}

//! Clocks, and a thread that others do not interrupt.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds that this thread was on a processor: a busy machine does not count.
pub(crate) fn on_processor() -> u64 {
    nanoseconds(ClockId::ThreadCPUTime)
}

/// Nanoseconds since some moment.
pub(crate) fn now() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Puts this thread before all ordinary ones, so that two threads really run at once;
/// without the right to do so it stays an ordinary one.
pub(crate) fn undisturbed() {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameter lives over the call; 0 is the calling thread.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
}

/// Runs `work` with all other processors kept from work of their own: two of them may
/// share the units of one core, so that what one does slows the other down.
pub(crate) fn quietly<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let others = thread::available_parallelism().map_or(1, std::num::NonZero::get) - 1;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..others {
            scope.spawn(|| {
                undisturbed();
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let worker = scope.spawn(|| {
            undisturbed();
            let done = work();
            over.store(true, Ordering::Relaxed);
            done
        });
        match worker.join() {
            Ok(done) => done,
            Err(panic) => {
                over.store(true, Ordering::Relaxed);
                std::panic::resume_unwind(panic)
            }
        }
    })
}

//! Two answers at the same time: passes over all pages that do not need each other.

use std::{panic::resume_unwind, thread};

/// Two answers, the second from a thread of its own. A panic of either is passed on.
pub(crate) fn at_once<A, B: Send>(
    here: impl FnOnce() -> A,
    there: impl FnOnce() -> B + Send,
) -> (A, B) {
    thread::scope(|scope| {
        let there = scope.spawn(there);
        let here = here();
        let there = there.join().unwrap_or_else(|panic| resume_unwind(panic));
        (here, there)
    })
}

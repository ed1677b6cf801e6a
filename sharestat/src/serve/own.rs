//! What the service costs and does itself: CPU, memory, connections, answers.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use jiff::Timestamp;

use crate::{
    kernel::own_cost::{process_time, resident_memory},
    report::openmetrics::{
        family::{Family, Kind, Value},
        host::row,
    },
};

/// Every status that answers have.
const CODES: [u16; 8] = [200, 401, 403, 404, 405, 421, 500, 503];

/// Counts of what clients did.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    answers: [AtomicU64; CODES.len()],
    open: AtomicU64,
    accepted: AtomicU64,
    cut: AtomicU64,
}

/// A connection that is open as long as this lives.
pub(super) struct Open<'a>(&'a Traffic);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Traffic {
    pub(super) fn answered(&self, code: u16) {
        if let Some(place) = CODES.iter().position(|known| *known == code) {
            self.answers[place].fetch_add(1, Relaxed);
        }
    }

    pub(super) fn opened(&self) -> Open<'_> {
        self.accepted.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        Open(self)
    }

    /// A client was too slow, or spoke no HTTP.
    pub(super) fn was_cut(&self) {
        self.cut.fetch_add(1, Relaxed);
    }

    /// Metrics of the service, with the prefix of ours.
    pub(super) fn families(&self) -> Vec<Family> {
        let answers = CODES.iter().zip(&self.answers);
        let answers =
            answers.map(|(code, count)| row("code", &code.to_string(), count.load(Relaxed)));
        let whole = |count: &AtomicU64| Some(Value::Whole(count.load(Relaxed)));
        vec![
            Family::rows(
                "http_responses",
                "Answers to clients of this service",
                Kind::Counter,
                answers.collect(),
            ),
            Family::gauge("http_connections", "Open connections", whole(&self.open)),
            Family::counter(
                "http_connections_accepted",
                "Connections that were accepted",
                whole(&self.accepted),
            ),
            Family::counter(
                "http_connections_cut",
                "Connections that were cut: the client was too slow, or spoke no HTTP",
                whole(&self.cut),
            ),
        ]
    }
}

/// Metrics of the process, with the names that all exporters use.
pub(super) fn process(began_at: Timestamp) -> Vec<Family> {
    let descriptors = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
    let descriptors = descriptors.and_then(|count| u64::try_from(count).ok());
    vec![
        Family::counter(
            "process_cpu",
            "CPU time of this process",
            Some(Value::Real(process_time().as_secs_f64())),
        )
        .in_seconds(),
        Family::gauge(
            "process_resident_memory",
            "Resident memory of this process",
            Some(Value::Whole(resident_memory().0)),
        )
        .in_bytes(),
        Family::gauge(
            "process_start_time",
            "When this process began",
            Some(Value::Real(began_at.as_duration().as_secs_f64())),
        )
        .in_seconds(),
        Family::gauge(
            "process_open_fds",
            "Open file descriptors of this process",
            descriptors.map(Value::Whole),
        ),
    ]
}

//! Prints what the BPF programs log (`--bpf-log`) as words on stderr.

use std::io::{self, Write as _};

use log::{LevelFilter, Log, Metadata, Record};

use super::args::LogLevel;

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = record.level().as_str().to_lowercase();
        // When stderr is closed there is nobody left to tell.
        let _ = writeln!(io::stderr(), "sharestat: bpf {level}: {}", record.args());
    }

    fn flush(&self) {}
}

/// Starts logging, unless it is off or was started before.
pub(super) fn start(level: LogLevel) {
    let filter = match level {
        LogLevel::Off => return,
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Trace => LevelFilter::Trace,
    };
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(filter);
    }
}

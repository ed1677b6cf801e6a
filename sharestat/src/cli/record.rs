//! `sharestat record`: a census, then the command or the time, then a census again, and
//! every change between them in a file.

pub(super) mod args;
mod session;

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use args::RecordArgs;
use tokio::sync::mpsc;

use super::{
    args::Common,
    exit::{Exit, Failure},
    log, runtime, scan,
    watch::catch_signals,
};
use crate::{
    identity::escape::printable,
    kernel::{Live, LiveOptions, moment::Moment},
    report::Host,
    snapshot::recording::{Recorder, header::Header},
};
use session::Session;

/// Time between two recorded sums.
const EVERY: Duration = Duration::from_millis(500);

pub(super) fn run(arguments: &RecordArgs, common: &Common) -> Result<ExitCode, Failure> {
    log::start(arguments.instrument.bpf_log);
    let stop = Arc::new(AtomicBool::new(false));
    catch_signals(&stop).map_err(|error| {
        Failure::new(
            Exit::Kernel,
            format!("cannot handle signals: {error}; look at the seccomp profile"),
        )
    })?;
    let mut live = Live::start(&LiveOptions {
        paths: arguments.paths.clone(),
        seed: scan::seed(arguments.seed)?,
        cpu_budget: arguments.cpu_budget / 100.0,
        every: EVERY,
        ring_bytes: arguments.instrument.ring_bytes,
        log_level: arguments.instrument.log_level(),
        // A recording has no place for what it says.
        ask_storage: false,
    })?;
    let counters = live.counter_names().map(str::to_owned).collect();
    let command = arguments.command.iter();
    let command: Vec<String> = command
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let header = Header::new(live.measurement(), Host::read(), counters, command);
    let recorder = Recorder::create(&arguments.output, &header)
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    live.keep_journal(recorder.journal());
    let runtime = runtime::new()?;
    let (requests, requested) = mpsc::channel(4);
    let mut session = Session::new(arguments, recorder, requests, stop, common.quiet);
    let watched = runtime.block_on(live.run(requested, |view| session.watch(&Moment::from(view))));
    let ended = session.end();
    watched?;
    let ended = ended?;
    if !common.quiet {
        eprintln!(
            "sharestat: {} changes in {} bytes in '{}'{}",
            ended.changes,
            ended.bytes,
            printable(&arguments.output),
            if ended.complete {
                ""
            } else {
                "; the census at the end is incomplete"
            }
        );
    }
    Ok(ended.code)
}

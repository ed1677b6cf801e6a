//! `sharestat scan`: measure once with one of the engines, and report.

use std::{
    io::{self, Write},
    path::Path,
};

use super::{
    args::{Common, EngineChoice, Format, OutputArgs, ScanArgs},
    exit::{Exit, Failure},
    log, output, render,
    watch::watched,
};
use crate::{
    engine_user,
    identity::storage,
    kernel,
    model::{measurement::Measurement, units::Bytes},
    progress::Progress,
    report::{Filter, Host, Report},
    seed::Seed,
    snapshot::table,
};

pub(super) fn run(arguments: &ScanArgs, common: &Common) -> Result<Exit, Failure> {
    let table = table_wanted(arguments);
    let format = match table {
        Some(_) => Format::Json,
        None => arguments.output.chosen()?,
    };
    let seed = seed(arguments.seed)?;
    let (measurement, interrupted) = match arguments.engine {
        EngineChoice::Bpf => {
            log::start(arguments.instrument.bpf_log);
            let options = kernel::ScanOptions {
                paths: arguments.paths.clone(),
                seed,
                workers: None,
                ring_bytes: arguments.instrument.ring_bytes,
                log_level: arguments.instrument.log_level(),
            };
            watched(common.quiet, |progress| {
                let measurement = kernel::scan(&options, progress)?;
                Ok::<_, kernel::Error>(asked(measurement, arguments, seed, progress))
            })?
        }
        EngineChoice::User => {
            let options = engine_user::ScanOptions {
                paths: arguments.paths.clone(),
                seed,
            };
            watched(common.quiet, |progress| {
                let measurement = engine_user::scan(&options, progress)?;
                Ok::<_, engine_user::Error>(asked(measurement, arguments, seed, progress))
            })?
        }
    };
    let filter = Filter {
        layer: arguments.layer.clone(),
        container: arguments.container.clone(),
    };
    let top = arguments.output.top;
    let host = Host::read();
    let report = match table {
        // Its rows are all pages: a header that leaves some out would contradict them.
        Some(_) => Report::without_files(&measurement, &host),
        None => Report::filtered(&measurement, &host, top, &filter),
    };
    let file = arguments.output.output.as_deref();
    // Tables hold the notes. Elsewhere they are fields among many: say them.
    if !common.quiet && (file.is_some() || format != Format::Text) {
        tell_notes(&measurement);
    }
    if common.verbose > 0 {
        tell_effort(&measurement);
    }
    match table {
        Some(path) => output::write_file(path, |out| table::write(&measurement, &report, out))?,
        None => render::write(&report, format, file, common)?,
    }
    Ok(verdict(interrupted, measurement.complete, arguments.strict))
}

/// The measurement with what storage tells of its files.
fn asked(
    mut measurement: Measurement,
    arguments: &ScanArgs,
    seed: Seed,
    progress: &Progress,
) -> Measurement {
    storage::ask(&mut measurement);
    if arguments.verify_files && !progress.stopped() {
        storage::compare(&mut measurement, seed, progress);
    }
    measurement
}

/// The Parquet file to write, which holds pages instead of a report.
fn table_wanted(arguments: &ScanArgs) -> Option<&Path> {
    let OutputArgs { format, output, .. } = &arguments.output;
    let path = output.as_deref().filter(|_| format.is_none())?;
    path.extension()
        .is_some_and(|ending| ending == "parquet")
        .then_some(path)
}

/// What the exit code tells: an interruption says more than the gap it leaves.
pub(super) const fn verdict(interrupted: bool, complete: bool, strict: bool) -> Exit {
    match (interrupted, complete, strict) {
        (true, _, _) => Exit::Interrupted,
        (false, false, true) => Exit::Incomplete,
        (false, _, _) => Exit::Ok,
    }
}

/// The seed of this run: the one chosen, else a random one.
pub(super) fn seed(chosen: Option<u64>) -> Result<Seed, Failure> {
    if let Some(seed) = chosen {
        return Ok(Seed::fixed(seed));
    }
    Seed::random().map_err(|error| {
        Failure::new(
            Exit::Kernel,
            format!("cannot choose a random seed: getrandom failed: {error}; give '--seed NUMBER'"),
        )
    })
}

/// The notes limit what the numbers mean.
fn tell_notes(measurement: &Measurement) {
    for note in measurement
        .notes
        .iter()
        .chain(&measurement.identity.warnings)
    {
        // When stderr is closed there is nobody left to tell.
        let _ = writeln!(io::stderr(), "sharestat: note: {note}");
    }
}

/// What the measurement cost.
fn tell_effort(measurement: &Measurement) {
    let totals = measurement.index.totals();
    let _ = writeln!(
        io::stderr(),
        "sharestat: measured {} cached pages of {} files in {:.2} s; the index takes {}",
        totals.resident,
        totals.inodes,
        measurement.duration.as_secs_f64(),
        Bytes(measurement.index.memory_bytes())
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_turns_a_gap_into_a_failure_and_an_interruption_always_shows() {
        assert_eq!(verdict(false, true, true), Exit::Ok);
        assert_eq!(verdict(false, false, false), Exit::Ok);
        assert_eq!(verdict(false, false, true), Exit::Incomplete);
        assert_eq!(verdict(true, false, true), Exit::Interrupted);
    }
}

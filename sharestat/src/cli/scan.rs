//! `sharestat scan`: measure once with one of the engines, and report.

use std::io::{self, IsTerminal, Write};

use super::{
    args::{Common, EngineChoice, Format, ScanArgs},
    exit::{Exit, Failure},
    log, output,
    watch::watched,
};
use crate::{
    engine_user,
    identity::storage,
    kernel,
    model::{measurement::Measurement, units::Bytes},
    report::{self, Filter, Host, Report},
    seed::Seed,
};

pub(super) fn run(arguments: &ScanArgs, common: &Common) -> Result<Exit, Failure> {
    let format = arguments.output.chosen()?;
    let seed = seed(arguments.seed)?;
    let (mut measurement, interrupted) = match arguments.engine {
        EngineChoice::Bpf => {
            log::start(arguments.instrument.bpf_log);
            let options = kernel::ScanOptions {
                paths: arguments.paths.clone(),
                seed,
                workers: None,
                ring_bytes: arguments.instrument.ring_bytes,
                log_level: arguments.instrument.log_level(),
            };
            watched(common.quiet, |progress| kernel::scan(&options, progress))?
        }
        EngineChoice::User => {
            let options = engine_user::ScanOptions {
                paths: arguments.paths.clone(),
                seed,
            };
            watched(common.quiet, |progress| {
                engine_user::scan(&options, progress)
            })?
        }
    };
    storage::ask(&mut measurement);
    if arguments.verify_files && !interrupted {
        storage::compare(&mut measurement);
    }
    let filter = Filter {
        layer: arguments.layer.clone(),
        container: arguments.container.clone(),
    };
    let top = arguments.output.top;
    let report = Report::filtered(&measurement, &Host::read(), top, &filter);
    let file = arguments.output.output.as_deref();
    // Tables hold the notes. Elsewhere they are fields among many: say them.
    if !common.quiet && (file.is_some() || format != Format::Text) {
        tell_notes(&measurement);
    }
    if common.verbose > 0 {
        tell_effort(&measurement);
    }
    let layout = report::text::Layout {
        width: if file.is_none() { width() } else { None },
        styled: file.is_none() && common.color.on_stdout(),
    };
    output::write(file, |out| match format {
        Format::Text => report::text::write(&report, layout, out),
        Format::Json => report::json::write(&report, out),
        Format::Ndjson => report::ndjson::write(&report, out),
        Format::Csv => report::csv::write(&report, out),
    })?;
    Ok(verdict(interrupted, measurement.complete, arguments.strict))
}

/// What the exit code tells: an interruption says more than the gap it leaves.
const fn verdict(interrupted: bool, complete: bool, strict: bool) -> Exit {
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

/// Columns of the terminal on stdout; no limit when it is none.
pub(super) fn width() -> Option<u16> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(&stdout)
        .ok()
        .map(|size| size.ws_col)
        .filter(|columns| *columns > 0)
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

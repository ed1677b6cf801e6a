//! `sharestat derefs exercise`: the workload, watched or not.

use std::time::Duration;

use super::super::{
    args::Common,
    exit::{Exit, Failure},
    output,
    watch::watched,
};
use super::args::ExerciseArgs;
use crate::derefs::{
    Watched,
    exercise::{ExerciseOptions, exercise},
    watch::WatchOptions,
};

pub(super) fn run(arguments: &ExerciseArgs, common: &Common) -> Result<Exit, Failure> {
    let options = ExerciseOptions {
        rounds: arguments.rounds,
        disruptive: arguments.disruptive,
    };
    if arguments.drive_only {
        let (done, interrupted) = watched(common.quiet, |progress| {
            exercise(None, &arguments.dir, options, &arguments.map, None, &|| {
                progress.stopped()
            })
        })?;
        output::write(arguments.output.output.as_deref(), |out| {
            for row in &done.steps {
                let ran = if row.ran { "ran" } else { "not run" };
                writeln!(out, "{:<20} {ran:<7} {}", row.name, row.note)?;
            }
            Ok(())
        })?;
        return Ok(ending(interrupted));
    }
    let format = arguments.output.chosen()?;
    let (document, interrupted) = watched(common.quiet, |progress| {
        let mut live = Watched::start(
            &arguments.breakpoints.watcher(),
            WatchOptions {
                window: Duration::ZERO,
                max_hz: f64::from(arguments.breakpoints.max_hz),
                seed: arguments.breakpoints.seed,
                census_every: Duration::MAX,
            },
            arguments.compare.source().as_ref(),
        )?;
        let done = live.exercise(&arguments.dir, options, &arguments.map, &|| {
            progress.stopped()
        })?;
        let note = format!(
            "the workload ran on files in '{}', {} times each step; up to {} folios of each file were \
             watched",
            arguments.dir.display(),
            options.rounds,
            live.session.watcher.capacity()
        );
        live.document(done, vec![note])
    })?;
    arguments.output.write(&document, format)?;
    Ok(ending(interrupted))
}

fn ending(interrupted: bool) -> Exit {
    if interrupted {
        Exit::Interrupted
    } else {
        Exit::Ok
    }
}

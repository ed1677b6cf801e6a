//! `sharestat derefs watch`: for a time, or while a command runs.

use std::{
    cell::RefCell,
    process::{Child, Command},
    time::{Duration, Instant},
};

use super::super::{
    args::Common,
    exit::{Exit, Failure},
    watch::watched,
};
use super::args::WatchArgs;
use crate::{
    derefs::{
        LiveError, Watched,
        watch::{Files, WatchOptions},
    },
    progress::Progress,
};

/// How long to watch when nothing says so.
const DURATION: Duration = Duration::from_secs(10);

/// Time between two looks at the page cache.
const CENSUS_EVERY: Duration = Duration::from_secs(2);

pub(super) fn run(arguments: &WatchArgs, common: &Common) -> Result<Exit, Failure> {
    let format = arguments.output.chosen()?;
    let (document, interrupted) = watched(common.quiet, |progress| {
        let mut live = Watched::start(
            &arguments.breakpoints.watcher(),
            WatchOptions {
                window: arguments.window,
                max_hz: f64::from(arguments.breakpoints.max_hz),
                seed: arguments.breakpoints.seed,
                census_every: CENSUS_EVERY,
            },
            arguments.compare.source().as_ref(),
        )?;
        let mut files = Files::below(&arguments.paths);
        let notes = watch(&mut live, &mut files, arguments, progress)?;
        live.document(Vec::new(), notes)
    })?;
    arguments.output.write(&document, format)?;
    Ok(if interrupted {
        Exit::Interrupted
    } else {
        Exit::Ok
    })
}

fn watch(
    live: &mut Watched,
    files: &mut Files,
    arguments: &WatchArgs,
    progress: &Progress,
) -> Result<Vec<String>, LiveError> {
    live.prepare(files)?;
    let Some((program, rest)) = arguments.command.split_first() else {
        let duration = arguments.duration.map_or(DURATION, |delay| delay.0);
        let end = Instant::now() + duration;
        live.sample(files, &|| progress.stopped() || Instant::now() >= end)?;
        return Ok(Vec::new());
    };
    let child = Command::new(program).args(rest).spawn().map_err(|error| {
        LiveError::Workload(format!(
            "cannot run '{}': {error}",
            program.to_string_lossy()
        ))
    })?;
    let child = RefCell::new(child);
    let end = arguments.duration.map(|delay| Instant::now() + delay.0);
    live.sample(files, &|| {
        progress.stopped() || ended(&child) || end.is_some_and(|end| Instant::now() >= end)
    })?;
    let mut child = child.into_inner();
    let state = match child.try_wait() {
        Ok(Some(status)) if status.success() => "ended well".to_owned(),
        Ok(Some(status)) => format!("ended with {status}"),
        Ok(None) | Err(_) => "was still running when watching ended".to_owned(),
    };
    Ok(vec![format!(
        "watched while '{}' ran, which {state}; other tasks were watched too",
        program.to_string_lossy()
    )])
}

fn ended(child: &RefCell<Child>) -> bool {
    // A child that cannot be waited for is none of ours any more.
    !matches!(child.borrow_mut().try_wait(), Ok(None))
}

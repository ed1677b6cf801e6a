//! `sharestat derefs watch`: for a time, or while a command runs.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use super::super::{
    args::Common,
    exit::{Exit, Failure},
    watch::watched,
};
use super::{args::WatchArgs, command::Workload};
use crate::{
    derefs::{
        LiveError, Watched,
        exercise::Exercised,
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
        live.document(Exercised::default(), notes)
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
    let workload = RefCell::new(Workload::start(&arguments.command)?);
    let duration = match (&*workload.borrow(), arguments.duration) {
        (_, Some(delay)) => Some(delay.0),
        (Some(_), None) => None,
        (None, None) => Some(DURATION),
    };
    let end = duration.map(|duration| Instant::now() + duration);
    live.sample(files, &|| {
        let mut workload = workload.borrow_mut();
        progress.stopped()
            || end.is_some_and(|end| Instant::now() >= end)
            || workload.as_mut().is_some_and(Workload::ended)
    })?;
    let mut workload = workload.into_inner();
    Ok(workload.as_mut().map(Workload::told).into_iter().collect())
}

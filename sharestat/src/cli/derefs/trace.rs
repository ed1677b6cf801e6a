//! `sharestat derefs trace`: for a time, or while a command runs.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::super::{
    args::Common,
    exit::{Exit, Failure},
    output,
    watch::watched,
};
use super::{
    args::{SitesFormat, TraceArgs},
    command::Workload,
};
use crate::derefs::{LiveError, live, static_list::Source};

/// How long to trace when nothing says so.
const DURATION: Duration = Duration::from_secs(10);

pub(super) fn run(arguments: &TraceArgs, common: &Common) -> Result<Exit, Failure> {
    let (document, interrupted) = watched(common.quiet, |progress| {
        let source = arguments.list.source().unwrap_or(Source::Live);
        let trace = live::trace(&source, arguments.filesystem.as_deref())?;
        let start = Instant::now();
        let mut workload = Workload::start(&arguments.command)?;
        let limit = match (&workload, arguments.duration) {
            (_, Some(delay)) => Some(delay.0),
            (Some(_), None) => None,
            (None, None) => Some(DURATION),
        };
        while !progress.stopped()
            && limit.is_none_or(|limit| start.elapsed() < limit)
            && !workload.as_mut().is_some_and(Workload::ended)
        {
            thread::sleep(Duration::from_millis(20));
        }
        Ok::<_, LiveError>(trace.document(start.elapsed())?)
    })?;
    output::write(arguments.output.as_deref(), |out| match arguments.format {
        SitesFormat::Text => document.write_text(arguments.top, out),
        SitesFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &document)?;
            out.write_all(b"\n")
        }
    })?;
    Ok(if interrupted {
        Exit::Interrupted
    } else {
        Exit::Ok
    })
}

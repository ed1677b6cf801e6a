//! Pictures in a pipe: text as `top -b` prints it, or one report per picture.

use std::{
    cell::Cell,
    io::{self, ErrorKind, Write as _},
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::{args::ShowArgs, picture::Painter};
use crate::{
    cli::{
        args::Format,
        exit::{Exit, Failure},
        runtime,
    },
    kernel::{Go, Live, Request, moment::Moment},
    report::{self, Host, Report, document::AvoidableInfo},
    tui::{
        batch::{BatchOptions, render},
        list::List,
    },
};

/// With `--once`: how often to look whether the measurement is complete.
pub(super) const ONCE_EVERY: Duration = Duration::from_millis(50);
/// With `--once`: how long pages that cannot be hashed yet are waited for.
const ONCE_PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn print(live: Live, arguments: &ShowArgs, files: &List) -> Result<Exit, Failure> {
    let runtime = runtime::new()?;
    let mut printer = Printer::new(arguments, files, Host::read());
    let interrupted = Cell::new(false);
    let (requests, requested) = mpsc::channel(4);
    runtime.block_on(async {
        let interrupts = async {
            let (Ok(mut interrupt), Ok(mut terminate)) = (
                signal(SignalKind::interrupt()),
                signal(SignalKind::terminate()),
            ) else {
                // Without handlers a signal simply ends the program.
                return std::future::pending().await;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            // What was measured until now is printed.
            interrupted.set(true);
            let _ = requests.send(Request::Now).await;
            let _ = requests.send(Request::Stop).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            measured = live.run(requested, |view| {
                let moment = Moment::from(view);
                if interrupted.get() {
                    printer.take_as_it_is(&moment)
                } else {
                    printer.take(&moment)
                }
            }) => measured,
            () = interrupts => Ok(()),
        }
    })?;
    printer.end(interrupted.get())
}

pub(super) struct Printer<'a> {
    arguments: &'a ShowArgs,
    format: Format,
    host: Host,
    painter: Painter,
    options: BatchOptions,
    printed: u64,
    began: Instant,
    /// When the picture before was, and what had been avoidable then.
    before: Option<(Duration, AvoidableInfo)>,
    failed: Option<Failure>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(arguments: &'a ShowArgs, files: &List, host: Host) -> Self {
        Self {
            arguments,
            format: arguments.format.unwrap_or(Format::Text),
            painter: Painter::new(host.name.clone(), None),
            host,
            options: BatchOptions {
                sort: files.sort(),
                filter: files.filter().to_owned(),
                rows: arguments.top,
                headers: !arguments.no_headers,
                ..BatchOptions::default()
            },
            printed: 0,
            began: Instant::now(),
            before: None,
            failed: None,
        }
    }

    /// Prints a view, unless a better one is to come.
    pub(super) fn take(&mut self, view: &Moment<'_>) -> Go {
        if self.arguments.once && !self.is_settled(view) {
            return Go::On;
        }
        self.take_as_it_is(view)
    }

    /// Prints a view that no better one follows.
    pub(super) fn take_as_it_is(&mut self, view: &Moment<'_>) -> Go {
        if let Err(failure) = self.write(view) {
            self.failed = Some(failure);
            return Go::Stop;
        }
        self.printed += 1;
        let most = if self.arguments.once {
            Some(1)
        } else {
            self.arguments.iterations
        };
        if most.is_some_and(|most| self.printed >= most) {
            Go::Stop
        } else {
            Go::On
        }
    }

    fn is_settled(&self, view: &Moment<'_>) -> bool {
        let waiting = view.measurement.index.totals().unsettled();
        view.counted && (waiting == 0 || self.began.elapsed() > ONCE_PATIENCE)
    }

    fn write(&mut self, view: &Moment<'_>) -> Result<(), Failure> {
        let mut out = Vec::new();
        let format = self.format;
        let mut report = || self.report(view);
        match format {
            Format::Text => {
                let frame = self.painter.paint(view, None);
                let text = render(&frame, &self.options)
                    .map_err(|error| Failure::new(Exit::Usage, error))?;
                if self.printed > 0 {
                    out.push(b'\n');
                }
                out.extend_from_slice(text.as_bytes());
            }
            Format::Json => {
                report::json::write(&report(), &mut out).map_err(|error| told(&error))?;
            }
            Format::Ndjson => {
                let line = serde_json::to_vec(&report())
                    .map_err(io::Error::other)
                    .map_err(|error| told(&error))?;
                out.extend_from_slice(&line);
                out.push(b'\n');
            }
            Format::Csv => report::csv::write(&report(), &mut out).map_err(|error| told(&error))?,
            Format::Html => {
                report::html::write(&report(), &mut out).map_err(|error| told(&error))?;
            }
            Format::Openmetrics => {
                report::openmetrics::write(&report(), &mut out).map_err(|error| told(&error))?;
            }
            Format::Markdown => {
                report::markdown::write(&report(), &mut out).map_err(|error| told(&error))?;
            }
        }
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(&out)
            .and_then(|()| stdout.flush())
            .map_err(|error| told(&error))
    }

    /// A report of this view, with rates since the one before.
    fn report(&mut self, view: &Moment<'_>) -> Report {
        let mut report = Report::new(view.measurement, &self.host, self.arguments.top);
        if let Some(now) = &mut report.avoidable {
            let before = self.before.replace((view.elapsed, now.clone()));
            if let Some((at, before)) = before {
                now.rate_since(&before, view.elapsed.saturating_sub(at));
            }
        }
        report
    }

    pub(super) fn end(self, interrupted: bool) -> Result<Exit, Failure> {
        match self.failed {
            Some(failure) => Err(failure),
            None if interrupted => Ok(Exit::Interrupted),
            None => Ok(Exit::Ok),
        }
    }
}

fn told(error: &io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        Failure::OutputClosed
    } else {
        Failure::new(Exit::Usage, format!("cannot write to stdout: {error}"))
    }
}

//! `sharestat report FILE…`: reports, tables of pages and recordings in another format.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use clap::Args;

use super::{
    args::{Common, Format, OutputArgs},
    exit::{EXIT_CODES, Exit, Failure},
    input, output, render,
};
use crate::{
    report::{self, Report},
    snapshot::file::{self, OpenError},
};

const HELP: &str = "\
Examples:
  sharestat report monday.json                   as tables
  sharestat report monday.json -o monday.md      for a pull request
  sharestat report pages.parquet --top 0         what 'scan' would have printed
  sharestat report run.ssr -o run.html           a recording, with its timeline
  sharestat report run.ssr --at 12.5             12.5 s after its start
  sharestat report a.json b.json --format ndjson one after the other";

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(
    after_help = HELP,
    after_long_help = format!("{HELP}\n\n{EXIT_CODES}"),
    long_about = "Reads reports that 'scan' or 'image' wrote as JSON, tables of pages (scan -o \
        FILE.parquet) and recordings (record -o FILE), and writes a report in another format. \
        What a file is, is told from its content. Needs no privilege. A file that is cut off, \
        damaged or of a newer version is refused; a recording that was cut is read up to there."
)]
pub struct ReportArgs {
    /// Reports (JSON), tables of pages (Parquet) or recordings; '-' is standard input.
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Report this moment of a recording, in seconds after its start [default: its end].
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub at: Option<Duration>,
    /// How they are written.
    #[command(flatten)]
    pub output: OutputArgs,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| "it must be a number of seconds, such as '12.5'".to_owned())
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

pub(super) fn run(arguments: &ReportArgs, common: &Common) -> Result<Exit, Failure> {
    let format = arguments.output.chosen()?;
    input::once(&arguments.files)?;
    let mut reports = Vec::new();
    for file in &arguments.files {
        let mut report = file::open(file, arguments.at)?.report;
        report.keep(arguments.output.top);
        reports.push(report);
    }
    let file = arguments.output.output.as_deref();
    match reports.as_slice() {
        [report] => render::write(report, format, file, common)?,
        several => write_all(several, format, arguments, common)?,
    }
    Ok(Exit::Ok)
}

/// Several reports, in those formats in which one can follow another.
fn write_all(
    reports: &[Report],
    format: Format,
    arguments: &ReportArgs,
    common: &Common,
) -> Result<(), Failure> {
    let layout = render::layout(arguments.output.output.as_deref(), common);
    let write_one = |report: &Report, mut out: &mut dyn Write| -> Option<io::Result<()>> {
        Some(match format {
            Format::Text => {
                report::text::write(report, layout, &mut out).and_then(|()| writeln!(out))
            }
            Format::Ndjson => report::ndjson::write(report, out),
            Format::Markdown => {
                report::markdown::write(report, &mut out).and_then(|()| writeln!(out))
            }
            Format::Json | Format::Csv | Format::Html | Format::Openmetrics => return None,
        })
    };
    let mut text = Vec::new();
    for report in reports {
        let Some(written) = write_one(report, &mut text) else {
            return Err(Failure::new(
                Exit::Usage,
                "several reports make no single document of this format; give one file, or '--format ndjson'",
            ));
        };
        written.map_err(|error| Failure::new(Exit::Usage, error))?;
    }
    output::write(arguments.output.output.as_deref(), |out| {
        out.write_all(&text)
    })
}

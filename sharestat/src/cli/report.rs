//! `sharestat report FILE…`: reports that were written as JSON, in another format.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;

use super::{
    args::{Common, Format, OutputArgs},
    exit::{EXIT_CODES, Exit, Failure},
    output, render,
};
use crate::report::{self, Report, read::ReadError};

const HELP: &str = "\
Examples:
  sharestat report monday.json                   as tables
  sharestat report monday.json -o monday.md      for a pull request
  sharestat report a.json b.json --format ndjson one after the other";

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(
    after_help = HELP,
    after_long_help = format!("{HELP}\n\n{EXIT_CODES}"),
    long_about = "Reads reports that 'scan' or 'image' wrote as JSON, and writes them in another \
        format. Needs no privilege. A report that is cut off, damaged or of a newer version is \
        refused."
)]
pub struct ReportArgs {
    /// The reports (schema 'sharestat.report/v1'); '-' is standard input.
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// How they are written.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

pub(super) fn run(arguments: &ReportArgs, common: &Common) -> Result<Exit, Failure> {
    let format = arguments.output.chosen()?;
    let mut reports = Vec::new();
    for file in &arguments.files {
        let mut report = report::read::file(file)?;
        if arguments.output.top > 0 {
            report.files.truncate(arguments.output.top);
        }
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
        written.map_err(|error| Failure::new(Exit::Threshold, error))?;
    }
    output::write(arguments.output.output.as_deref(), |out| {
        out.write_all(&text)
    })
}

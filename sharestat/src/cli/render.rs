//! Writing a report in the format that was asked for, to a file or to stdout.

use std::{
    io::{self, IsTerminal},
    path::Path,
};

use super::{
    args::{Common, Format},
    exit::Failure,
    output,
};
use crate::report::{self, Report, text::Layout};

/// Writes the report to the file, or to stdout when there is none.
pub(super) fn write(
    report: &Report,
    format: Format,
    file: Option<&Path>,
    common: &Common,
) -> Result<(), Failure> {
    let layout = layout(file, common);
    output::write(file, |out| match format {
        Format::Text => report::text::write(report, layout, out),
        Format::Json => report::json::write(report, out),
        Format::Ndjson => report::ndjson::write(report, out),
        Format::Csv => report::csv::write(report, out),
        Format::Markdown => report::markdown::write(report, out),
        Format::Html => report::html::write(report, out),
        Format::Openmetrics => report::openmetrics::write(report, out),
    })
}

/// How tables are laid out: for the terminal, or without limit in a file or a pipe.
pub(super) fn layout(file: Option<&Path>, common: &Common) -> Layout {
    Layout {
        width: if file.is_none() { width() } else { None },
        styled: file.is_none() && common.color.on_stdout(),
    }
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

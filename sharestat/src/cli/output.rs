//! Where results go: stdout, whose reader may leave at any time, or what a path leads to;
//! and in which format.

use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, Write},
    path::Path,
};

use super::{
    args::{Format, OutputArgs},
    exit::{Exit, Failure},
    place::Place,
};
use crate::identity::escape::printable;

impl OutputArgs {
    /// The format: as asked for, else by the ending of the file, else text.
    ///
    /// # Errors
    /// When the ending of the file says nothing.
    pub fn chosen(&self) -> Result<Format, Failure> {
        match (self.format, &self.output) {
            (Some(format), _) => Ok(format),
            (None, None) => Ok(Format::Text),
            (None, Some(path)) => by_ending(path).ok_or_else(|| {
                Failure::new(
                    Exit::Usage,
                    format!(
                        "cannot tell the format of '{}' from its ending; use .txt, .json, .ndjson, .csv, .md, .html or .prom, or give '--format'",
                        printable(path)
                    ),
                )
            }),
        }
    }
}

fn by_ending(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "txt" => Some(Format::Text),
        "json" => Some(Format::Json),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "csv" => Some(Format::Csv),
        "md" => Some(Format::Markdown),
        "html" => Some(Format::Html),
        "prom" => Some(Format::Openmetrics),
        _ => None,
    }
}

/// Writes to the file, or to stdout when there is none.
///
/// # Errors
/// [`Failure::OutputClosed`] when the reader of stdout has gone; else what went wrong.
pub(super) fn write(
    file: Option<&Path>,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let Some(path) = file else {
        return print(content);
    };
    write_file(path, |out| content(out))
}

/// Writes to a file, whole or not at all; to a device or a pipe as it comes.
///
/// # Errors
/// [`Failure::OutputClosed`] when the reader of a pipe has gone; else what went wrong.
pub(super) fn write_file(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failure> {
    let told = |error: &io::Error, rest: &str| {
        Failure::new(
            Exit::Usage,
            format!("cannot write '{}': {error}{rest}", printable(path)),
        )
    };
    let place = Place::of(path).map_err(|error| told(&error, ""))?;
    let streams = matches!(place, Place::Stream(_));
    place.write(content).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe if streams => Failure::OutputClosed,
        _ if streams => told(&error, ""),
        _ => told(&error, "; nothing was left there"),
    })
}

/// Writes to stdout.
///
/// # Errors
/// As [`write`](fn@write).
pub(super) fn print(content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    content(&mut out)
        .and_then(|()| out.flush())
        .map_err(|error| {
            // What is still buffered has no reader: do not try it again on drop.
            let _ = out.into_parts();
            if error.kind() == ErrorKind::BrokenPipe {
                return Failure::OutputClosed;
            }
            Failure::new(Exit::Usage, format!("cannot write to stdout: {error}"))
        })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_cannot_be_written_is_named_and_told_apart_from_a_regression() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["missing/report.json", "."] {
            let failed = write(Some(&directory.path().join(name)), |_| Ok(()));
            let failure = failed.expect_err("it cannot be made");
            assert_eq!(failure.exit(), Exit::Usage);
            assert!(
                failure.to_string().starts_with("cannot write '"),
                "{failure}"
            );
        }
    }

    #[test]
    fn the_ending_chooses_the_format_and_the_option_beats_it() {
        let chosen = |format, file: Option<&str>| {
            OutputArgs {
                format,
                output: file.map(PathBuf::from),
                top: 0,
            }
            .chosen()
        };
        assert_eq!(chosen(None, None).ok(), Some(Format::Text));
        assert_eq!(chosen(None, Some("a.jsonl")).ok(), Some(Format::Ndjson));
        assert_eq!(
            chosen(Some(Format::Csv), Some("a.json")).ok(),
            Some(Format::Csv)
        );
        assert!(chosen(None, Some("a.xlsx")).is_err());
    }
}

//! Where results go: stdout, whose reader may leave at any time, or a file that is
//! written whole or not at all.

use std::{
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::{
    args::{Format, OutputArgs},
    exit::{Exit, Failure},
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

/// Writes to a file, whole or not at all.
///
/// # Errors
/// What went wrong.
pub(super) fn write_file(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failure> {
    atomically(path, content).map_err(|error| {
        Failure::new(
            Exit::Threshold,
            format!(
                "cannot write '{}': {error}; nothing was left there",
                printable(path)
            ),
        )
    })
}

/// Writes to stdout.
///
/// # Errors
/// As [`write`].
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
            Failure::new(Exit::Threshold, format!("cannot write to stdout: {error}"))
        })
}

/// Writes beside the target, syncs, renames: a reader sees the old file or the new one.
fn atomically(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = beside(path)?;
    let written = (|| {
        let mut out = BufWriter::new(File::create_new(&temporary)?);
        content(&mut out)?;
        out.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // Not there when it could not even be made.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(ErrorKind::InvalidFilename))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("report.json");
        write(Some(&path), |out| out.write_all(b"first")).expect("it is written");
        let failed = write(Some(&path), |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("the source broke"))
        });
        let failure = failed.expect_err("the content failed");
        assert!(
            failure
                .to_string()
                .contains("report.json': the source broke"),
            "{failure}"
        );
        assert_eq!(fs::read(&path).expect("it is there"), b"first");
        assert_eq!(fs::read_dir(directory.path()).expect("it lists").count(), 1);
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

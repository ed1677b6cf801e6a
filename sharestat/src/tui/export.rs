//! Writes a frame as JSON to a new file.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{error::TuiError, frame::Frame};

/// Names tried when frames of one second are written.
const MOST_NAMES: u32 = 1000;

/// Writes `frame` into `directory`, named after its time. Never touches an existing file.
///
/// # Errors
/// When the file cannot be created or written.
pub fn write(frame: &Frame, directory: &Path) -> Result<PathBuf, TuiError> {
    let time = frame.taken_at.strftime("%Y%m%dT%H%M%SZ");
    for number in 0..MOST_NAMES {
        let suffix = if number == 0 {
            String::new()
        } else {
            format!("-{number}")
        };
        let path = directory.join(format!("sharestat-frame-{time}{suffix}.json"));
        let failed = |source| TuiError::Write {
            path: path.clone(),
            source,
        };
        let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(failed(error)),
        };
        let mut output = BufWriter::new(file);
        serde_json::to_writer(&mut output, frame).map_err(|error| failed(error.into()))?;
        writeln!(output)
            .and_then(|()| output.flush())
            .map_err(failed)?;
        return Ok(path);
    }
    Err(TuiError::Write {
        path: directory.to_owned(),
        source: io::Error::other(format!(
            "{MOST_NAMES} frames of this second are there already"
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn a_written_frame_reads_back_and_never_replaces_another() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let frame = fixture::frame();
        let first = write(&frame, directory.path()).expect("first");
        let second = write(&frame, directory.path()).expect("second");
        assert_ne!(first, second);
        let text = std::fs::read_to_string(first).expect("read");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["schema"], "sharestat.frame/v1");
        assert_eq!(value["totals"]["resident_pages"], frame.totals.resident);
        assert_eq!(
            value["files"].as_array().map(Vec::len),
            Some(frame.files.len())
        );
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = write(&fixture::frame(), Path::new("/nowhere/at/all")).expect_err("no such");
        assert!(
            error
                .to_string()
                .contains("'/nowhere/at/all/sharestat-frame-")
        );
    }
}

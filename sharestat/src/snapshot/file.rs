//! Any file of measurements: a report, a table of pages or a recording, told apart by what
//! is in it. Each becomes a report; what holds pages keeps its contents for comparison.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use bytes::Bytes;

use super::{
    recording::{Player, RecordingError, header::FAMILY, reader::Reader},
    table::{self, Snapshot, TableError},
    timeline::timeline,
};
use crate::{
    identity::escape::printable,
    model::index::ContentIndex,
    report::{
        Report,
        read::{self, ReadError},
    },
};

/// First bytes of Parquet.
const TABLE: &[u8] = b"PAR1";

/// What a file holds.
#[derive(Debug)]
pub struct Opened {
    /// The report; of a recording that of the moment asked for.
    pub report: Report,
    /// The pages; a report has none.
    pub contents: Option<ContentIndex>,
}

impl From<Snapshot> for Opened {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            report: snapshot.report,
            contents: Some(snapshot.measurement.index),
        }
    }
}

/// Why a file cannot be used: one sentence.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be read.
    #[error("cannot read '{name}': {source}")]
    Io {
        /// The file.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("'{name}' is empty: it was never written; measure anew")]
    Empty {
        /// The file.
        name: String,
    },
    /// A moment of something that has only one.
    #[error("'{name}' is no recording, and has no moment to choose; leave '--at' away")]
    NoMoments {
        /// The file.
        name: String,
    },
    /// A moment after the last.
    #[error("'{name}' ends {length:?} after its start; '--at' wants a moment before that")]
    Later {
        /// The file.
        name: String,
        /// How long it is.
        length: Duration,
    },
    /// It is no report.
    #[error(transparent)]
    Report(#[from] ReadError),
    /// It is no table of pages.
    #[error(transparent)]
    Table(#[from] TableError),
    /// It is no recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// Reads a file; `-` is standard input. `at` chooses a moment of a recording, else it is
/// its end.
///
/// # Errors
/// When it cannot be read, or is none of the three.
pub fn open(path: &Path, at: Option<Duration>) -> Result<Opened, OpenError> {
    let name = printable(path);
    if path.as_os_str() == "-" {
        return read(io::stdin().lock(), name, at);
    }
    let failed = |source| OpenError::Io {
        name: name.clone(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let regular = file.metadata().map_err(failed)?.is_file();
    if regular {
        let mut first = Vec::new();
        let wanted = FAMILY.len() as u64;
        Read::by_ref(&mut file)
            .take(wanted)
            .read_to_end(&mut first)
            .map_err(failed)?;
        if first == FAMILY {
            // Neither long ones nor long tables are read into memory.
            return played(Reader::open(path)?, name, at);
        }
        if first.starts_with(TABLE) {
            return if at.is_some() {
                Err(OpenError::NoMoments { name })
            } else {
                Ok(table::read(file, &name)?.into())
            };
        }
        return read(first.as_slice().chain(file), name, at);
    }
    read(file, name, at)
}

/// Reads what is not, or not yet known to be, a recording in a file.
fn read(from: impl Read, name: String, at: Option<Duration>) -> Result<Opened, OpenError> {
    let mut bytes = Vec::new();
    let mut from = from.take(read::MOST_BYTES + 1);
    if let Err(source) = from.read_to_end(&mut bytes) {
        return Err(OpenError::Io { name, source });
    }
    if bytes.len() as u64 > read::MOST_BYTES {
        return Err(ReadError::TooLarge { path: name }.into());
    }
    of_bytes(bytes, name, at)
}

/// The same, of bytes in memory.
///
/// # Errors
/// When they are none of the three.
pub fn of_bytes(bytes: Vec<u8>, name: String, at: Option<Duration>) -> Result<Opened, OpenError> {
    if bytes.is_empty() {
        return Err(OpenError::Empty { name });
    }
    if bytes.starts_with(FAMILY) {
        return played(Reader::in_memory(&name, bytes)?, name, at);
    }
    if at.is_some() {
        return Err(OpenError::NoMoments { name });
    }
    if bytes.starts_with(TABLE) {
        return Ok(table::read(Bytes::from(bytes), &name)?.into());
    }
    Ok(Opened {
        report: read::parse(&bytes, &name)?,
        contents: None,
    })
}

fn played(reader: Reader, name: String, at: Option<Duration>) -> Result<Opened, OpenError> {
    let mut player = Player::new(reader)?;
    let length = player.outline().length;
    if at.is_some_and(|at| at > length) {
        return Err(OpenError::Later { name, length });
    }
    player.go_to(at.unwrap_or(length))?;
    let mut report = Report::new(player.moment().measurement, &player.header().host, 0);
    report.timeline = timeline(player.history());
    report.measurement.notes.push(format!(
        "as recorded {:.1} s after the start; a recording holds no extents or digests of files, so 'reflink' and whole files may save more",
        player.position().as_secs_f64()
    ));
    Ok(Opened {
        report,
        contents: Some(player.into_measurement().index),
    })
}

#[cfg(test)]
mod tests;

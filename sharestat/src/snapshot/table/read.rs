//! A table of pages read back: the report of its header, with the files that its rows
//! hold, and the measurement itself. What does not add up is refused.

use parquet::{
    errors::ParquetError,
    file::reader::{ChunkReader, FileReader, SerializedFileReader},
};
use serde::Deserialize;

use super::{
    HEADER, SCHEMA,
    caught::caught,
    digest,
    error::TableError,
    restore::{Restorer, layer_of},
    rows::Rows,
};
use crate::{
    model::{measurement::Measurement, units::ContentHash},
    report::{self, Report},
};

/// A snapshot.
#[derive(Debug)]
pub struct Snapshot {
    /// What `scan` reported, with all files.
    pub report: Report,
    /// Pages and names. Layers and what was known of whole files are in the report alone.
    pub measurement: Measurement,
}

#[derive(Deserialize)]
struct Head {
    schema: String,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    zero_hash: Option<String>,
    report: Report,
}

/// Reads a table, a group of rows at a time; `name` is for the errors.
///
/// # Errors
/// When it is cut off, damaged, of a newer version, or of something else.
pub fn read(file: impl ChunkReader + 'static, name: &str) -> Result<Snapshot, TableError> {
    let damaged = |reason: String| TableError::Damaged {
        name: name.to_owned(),
        reason,
    };
    let broken = |error: ParquetError| damaged(one_line(&error.to_string()));
    let foreign = |reason: String| TableError::Foreign {
        name: name.to_owned(),
        reason,
    };
    // Its head, its tail and the length of its metadata take 12 bytes.
    let end = file.len().saturating_sub(4);
    if end < 8 || *file.get_bytes(end, 4).map_err(broken)? != *b"PAR1" {
        return Err(damaged("it does not end as Parquet does".to_owned()));
    }
    // First of all: what was not written as a whole is not worth reading.
    match digest::is_whole(&file).map_err(broken)? {
        Some(true) => {}
        Some(false) => return Err(damaged("its bytes are not those that were written".into())),
        None => return Err(foreign("it has no digest of ours".to_owned())),
    }
    let reader = caught(|| SerializedFileReader::new(file)).map_err(broken)?;
    let metadata = reader.metadata().file_metadata();
    let pairs = metadata.key_value_metadata().into_iter().flatten();
    let text = pairs
        .filter(|pair| pair.key == HEADER)
        .find_map(|pair| pair.value.as_deref());
    let Some(text) = text else {
        return Err(foreign(format!("it has no header '{HEADER}'")));
    };
    let header = header(text, name)?;
    let zero = header.zero_hash.as_deref();
    let zero = zero.and_then(|text| u64::from_str_radix(text, 16).ok());
    let mut restorer = Restorer::new(&header.report, ContentHash(zero.unwrap_or(0)));
    for group in 0..reader.num_row_groups() {
        let rows = caught(|| Rows::read(reader.get_row_group(group)?.as_ref()));
        let rows = rows.map_err(broken)?;
        restorer.take(&rows).map_err(damaged)?;
    }
    let (measurement, layers) = restorer.finish().map_err(damaged)?;
    let files = report::files(&measurement);
    let mut report = header.report;
    report.files = files
        .into_iter()
        .map(|(inode, mut file)| {
            if let Some(names) = layers.get(&inode) {
                file.layer = Some(names.0.clone());
                if let Some(layer) = layer_of(&report, names) {
                    file.images.clone_from(&layer.images);
                    let shows = report.containers.iter();
                    file.containers = shows
                        .filter(|container| container.layers.contains(&layer.id))
                        .map(|container| container.name.clone())
                        .collect();
                    file.containers.sort_unstable();
                }
            }
            file
        })
        .collect();
    // Without the hash of the zero page, zero pages are not known among the rows.
    match differs(&report, &measurement, zero.is_some()) {
        Some(what) => Err(damaged(format!("{what} of its rows are not its header's"))),
        None => Ok(Snapshot {
            report,
            measurement,
        }),
    }
}

fn header(text: &str, name: &str) -> Result<Header, TableError> {
    let wrong = |reason: String| TableError::Damaged {
        name: name.to_owned(),
        reason,
    };
    let unreadable = |error: serde_json::Error| wrong(format!("its header is broken: {error}"));
    let Head { schema } = serde_json::from_str(text).map_err(unreadable)?;
    if schema != SCHEMA {
        let version = schema.strip_prefix("sharestat.snapshot/v");
        let version = version.and_then(|version| version.parse::<u64>().ok());
        return Err(if version.is_some_and(|version| version > 1) {
            TableError::Newer {
                name: name.to_owned(),
                found: schema,
            }
        } else {
            TableError::Foreign {
                name: name.to_owned(),
                reason: format!("its header is of schema '{}'", one_line(&schema)),
            }
        });
    }
    let header: Header = serde_json::from_str(text).map_err(unreadable)?;
    if let Some(what) = report::read::contradiction(&header.report) {
        return Err(wrong(format!("in its header {what}")));
    }
    Ok(header)
}

/// What the rows add up to otherwise than the header says.
fn differs(report: &Report, measurement: &Measurement, zero: bool) -> Option<&'static str> {
    let (coverage, mut totals) = report::sums(measurement);
    if !zero {
        totals.zero_bytes = report.totals.zero_bytes;
    }
    if coverage != report.coverage {
        Some("the pages")
    } else if totals != report.totals {
        Some("the contents")
    } else {
        None
    }
}

/// Words of others, on one line and not too many.
fn one_line(words: &str) -> String {
    let words = words.chars().map(|c| if c.is_control() { ' ' } else { c });
    words.take(160).collect()
}

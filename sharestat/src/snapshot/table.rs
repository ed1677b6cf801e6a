//! A measurement as a Parquet file: one row per run of pages, by file, so that any
//! program that reads tables can ask its own questions. Hashes are in it: they tell what
//! a machine has read to whoever knows the seed.

mod batch;
mod caught;
mod columns;
pub(super) mod digest;
pub mod error;
pub mod read;
mod restore;
mod rows;

use std::io::{self, Write};

use parquet::{
    basic::{Compression, Encoding},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::types::ColumnPath,
};
use serde::Serialize;

use self::{
    batch::{Batch, Row},
    columns::schema,
    digest::{DIGEST, Sealed, UNKNOWN},
};
pub use self::{
    error::TableError,
    read::{Snapshot, read},
};
use crate::{
    model::{
        measurement::Measurement,
        page::{PageState, SkipReason},
        units::{ContentHash, PageIndex},
    },
    report::Report,
};

/// The value of `schema` in the header.
pub const SCHEMA: &str = "sharestat.snapshot/v1";

/// The key of the header among the key-value metadata of the file.
pub const HEADER: &str = "sharestat";

/// Rows of one row group: enough to compress, few enough to hold in memory.
const ROWS: usize = 1 << 17;

/// What the header says: the report without its files, which are in the rows.
#[derive(Serialize)]
struct Header<'a> {
    schema: &'static str,
    /// Hash of the zero page, in hexadecimal digits.
    zero_hash: String,
    report: &'a Report,
}

/// Writes the pages of a measurement; `report` is its report, of which the files are not
/// written.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(measurement: &Measurement, report: &Report, out: impl Write + Send) -> io::Result<()> {
    let mut report = report.clone();
    report.files.clear();
    let header = serde_json::to_string(&Header {
        schema: SCHEMA,
        zero_hash: format!("{:016x}", measurement.index.zero().0),
        report: &report,
    })?;
    let properties = WriterProperties::builder()
        .set_created_by(format!("sharestat {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![KeyValue::new(HEADER.to_owned(), header)]))
        .set_compression(Compression::SNAPPY)
        // A hash is noise: no dictionary, no compression makes it smaller.
        .set_column_dictionary_enabled(ColumnPath::from("hash"), false)
        .set_column_compression(ColumnPath::from("hash"), Compression::UNCOMPRESSED)
        .set_column_statistics_enabled(ColumnPath::from("hash"), EnabledStatistics::None)
        .set_column_dictionary_enabled(ColumnPath::from("index"), false)
        .set_column_encoding(ColumnPath::from("index"), Encoding::DELTA_BINARY_PACKED)
        .build();
    let schema = schema().map_err(io::Error::other)?;
    let mut out = Sealed::new(out);
    let mut file =
        SerializedFileWriter::new(&mut out, schema, properties.into()).map_err(io::Error::other)?;
    rows(measurement, &mut file)?;
    // The last pair, so that nothing but the library's own fields follows it.
    file.append_key_value_metadata(KeyValue::new(DIGEST.to_owned(), UNKNOWN.to_owned()));
    // What the library still buffers belongs to the rows.
    file.flush()?;
    file.inner_mut().hold();
    file.close().map_err(io::Error::other)?;
    out.seal()?;
    Ok(())
}

fn rows(
    measurement: &Measurement,
    file: &mut SerializedFileWriter<impl Write + Send>,
) -> io::Result<()> {
    let mut batch = Batch::default();
    let mut flush = |batch: &mut Batch| batch.write(file).map_err(io::Error::other);
    for (number, inode) in (0..).zip(measurement.index.inodes()) {
        let names = batch::names(measurement, &inode, number);
        let mut open: Option<Row> = None;
        for (PageIndex(index), state) in inode.pages() {
            let next = row(index, state, names.memcg_at(index));
            match &mut open {
                Some(run) if run.goes_on_with(&next) => run.pages += 1,
                _ => {
                    if let Some(run) = open.replace(next) {
                        batch.push(&names, &run);
                    }
                }
            }
            if batch.len() >= ROWS {
                flush(&mut batch)?;
            }
        }
        if let Some(run) = open {
            batch.push(&names, &run);
        }
    }
    if batch.len() > 0 {
        flush(&mut batch)?;
    }
    Ok(())
}

fn row(index: u64, state: PageState, memcg: usize) -> Row {
    let word = match state.skip_reason() {
        None => "hashed",
        Some(SkipReason::Dirty) => "dirty",
        Some(SkipReason::Writeback) => "writeback",
        Some(SkipReason::NotUptodate) => "not_uptodate",
        Some(SkipReason::Raced) => "raced",
        Some(SkipReason::Unreadable) => "unreadable",
        Some(SkipReason::Budget) => "budget",
    };
    Row {
        index,
        pages: 1,
        hash: state.content().map(|ContentHash(hash)| hash),
        state: word,
        memcg,
    }
}

#[cfg(test)]
mod tests;

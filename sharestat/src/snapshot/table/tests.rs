//! What was written is read back by the library's own reader, and adds up.

use std::collections::HashMap;

use bytes::Bytes;
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};

use super::*;
use crate::report::sample;

fn written() -> SerializedFileReader<Bytes> {
    let mut out = Vec::new();
    write(&sample::measurement(), &sample::report(), &mut out).expect("memory takes everything");
    SerializedFileReader::new(Bytes::from(out)).expect("it is a Parquet file")
}

#[test]
fn the_header_is_the_report_without_its_files() {
    let reader = written();
    let metadata = reader.metadata().file_metadata();
    let pairs = metadata.key_value_metadata().expect("there are some");
    let header = pairs.iter().find(|pair| pair.key == HEADER);
    let header = header
        .and_then(|pair| pair.value.as_deref())
        .expect("it has a header");
    let header: serde_json::Value = serde_json::from_str(header).expect("JSON");
    assert_eq!(header["schema"], SCHEMA);
    assert_eq!(header["report"]["totals"]["duplicate_bytes"], 12288);
    assert_eq!(header["report"]["files"], serde_json::json!([]));
    let report = header["report"].to_string();
    assert!(crate::report::read::parse(report.as_bytes(), "header").is_ok());
}

#[test]
fn the_rows_hold_every_page_and_copies_are_found_by_hash() {
    let reader = written();
    let (mut pages, mut copies) = (0, HashMap::new());
    let mut skipped = Vec::new();
    for row in reader.get_row_iter(None).expect("it has rows") {
        let row = row.expect("it is readable");
        let column = |name: &str| {
            let mut columns = row.get_column_iter();
            columns
                .find(|(found, _)| *found == name)
                .expect("it is a column")
                .1
                .clone()
        };
        let Field::ULong(run) = column("pages") else {
            panic!("pages are unsigned");
        };
        pages += run;
        match column("hash") {
            Field::ULong(hash) => *copies.entry(hash).or_insert(0) += run,
            Field::Null => match column("state") {
                Field::Str(state) => skipped.push(state),
                other => panic!("{other}"),
            },
            other => panic!("{other}"),
        }
    }
    let report = sample::report();
    assert_eq!(pages, report.coverage.resident_pages);
    let duplicate: u64 = copies.values().map(|copies| copies - 1).sum();
    assert_eq!(duplicate * 4096, report.totals.duplicate_bytes);
    skipped.sort_unstable();
    assert_eq!(skipped, ["budget", "dirty"]);
}

#[test]
fn who_is_charged_and_what_was_deleted_is_read_back() {
    let measurement = sample::measurement();
    let mut out = Vec::new();
    write(&measurement, &sample::report(), &mut out).expect("memory takes everything");
    let snapshot = read(Bytes::from(out), "table").expect("it is whole");
    let made = |measurement: &Measurement| Report::new(measurement, &sample::host(), 0);
    let (before, after) = (made(&measurement), made(&snapshot.measurement));
    assert_eq!(before.memcgs.len(), 4, "one of them is unknown");
    assert_eq!(after.memcgs, before.memcgs);
    let deleted = |report: &Report| -> Vec<(String, bool)> {
        let files = report.files.iter();
        files
            .map(|file| (file.path.clone(), file.deleted))
            .collect()
    };
    assert_eq!(deleted(&snapshot.report), deleted(&before));
    assert!(before.files.iter().any(|file| file.deleted));
}

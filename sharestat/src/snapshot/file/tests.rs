//! Each kind of file becomes the report it was made from; none is a way to crash.

use std::{io::Write as _, time::Duration};

use tempfile::tempdir;

use super::*;
use crate::{
    model::measurement::Measurement,
    report::{document::FileEntry, json, sample},
    snapshot::table::digest,
};

/// The recording that `sharestat demo` plays.
const DEMO: &[u8] = include_bytes!("../../../demo/demo.ssr");

fn table() -> Vec<u8> {
    let mut out = Vec::new();
    let report = Report::without_files(&sample::measurement(), &sample::host());
    table::write(&sample::measurement(), &report, &mut out).expect("memory takes everything");
    out
}

fn document() -> Vec<u8> {
    let mut out = Vec::new();
    json::write(&sample::report(), &mut out).expect("memory takes everything");
    out
}

fn opened(bytes: Vec<u8>) -> Result<Opened, String> {
    let opened = of_bytes(bytes, "x".to_owned(), None).map_err(|error| error.to_string());
    if let Err(error) = &opened {
        assert!(!error.contains('\n'), "more than a line: {error}");
        assert!(error.contains("'x'"), "which file? {error}");
    }
    opened
}

fn refused(bytes: Vec<u8>) -> String {
    opened(bytes).expect_err("it is refused")
}

#[test]
fn a_table_tells_what_the_report_of_its_measurement_told() {
    let found = opened(table()).expect("a snapshot");
    assert_eq!(found.report, sample::report());
    let contents = found.contents.expect("pages");
    assert_eq!(contents.totals(), sample::measurement().index.totals());
}

/// What a table tells of a measurement, and what the report of the measurement tells.
fn twice(measurement: &Measurement) -> (Report, Report) {
    let host = sample::host();
    let mut out = Vec::new();
    let report = Report::without_files(measurement, &host);
    table::write(measurement, &report, &mut out).expect("memory takes everything");
    let found = opened(out).expect("a snapshot").report;
    // Written and read, because that rounds shares.
    let mut expected = Vec::new();
    json::write(&Report::new(measurement, &host, 0), &mut expected).expect("memory");
    (found, read::parse(&expected, "x").expect("a report"))
}

#[test]
fn a_table_of_a_host_with_layers_tells_the_same_too() {
    let mut player = Player::new(Reader::of_bytes("demo", DEMO).expect("one")).expect("it plays");
    player.go_to(player.outline().length).expect("the end");
    let (found, mut expected) = twice(&player.into_measurement());
    assert!(expected.files.iter().any(|file| !file.partners.is_empty()));
    assert!(expected.files.iter().all(|file| file.layer.is_some()));
    // A table is of one moment: `scan` writes it, which does not watch.
    for file in &mut expected.files {
        (file.avoidable_reads_bytes, file.avoidable_reclaim_bytes) = (0, 0);
    }
    assert_eq!(found, expected);
}

#[test]
fn a_table_of_a_host_with_containers_tells_whose_the_files_are() {
    let mut measurement = sample::measurement();
    (measurement.index, measurement.identity) = crate::report::owners::stage();
    let (found, expected) = twice(&measurement);
    let both = |file: &FileEntry| file.containers == ["db", "web"] && file.images.len() == 2;
    assert!(expected.files.iter().any(both), "{:?}", expected.files);
    assert_eq!(found, expected);
}

#[test]
fn a_recording_tells_its_end_or_a_moment_and_its_sums_over_time() {
    let at = |at| of_bytes(DEMO.to_vec(), "x".to_owned(), at);
    let end = at(None).expect("a recording").report;
    let timeline = &end.timeline;
    assert_eq!(timeline.last().expect("moments").totals, end.totals);
    assert!(timeline.is_sorted_by_key(|moment| moment.elapsed_ms));
    assert!(timeline.len() > 20, "{}", timeline.len());
    let moment = &timeline[timeline.len() / 2];
    let then = at(Some(Duration::from_millis(moment.elapsed_ms))).expect("a moment");
    assert_eq!(then.report.totals, moment.totals);
    assert_ne!(then.report.totals, end.totals);
    assert_eq!(then.report.timeline, end.timeline);
    let later = at(Some(Duration::from_hours(1))).expect_err("it is shorter");
    assert!(later.to_string().contains("ends"), "{later}");
    let mut again = Vec::new();
    json::write(&end, &mut again).expect("memory takes everything");
    let read = opened(again).expect("a report").report;
    assert_eq!(read.timeline, end.timeline);
}

#[test]
fn a_file_is_what_is_in_it_whatever_its_name_is() {
    let directory = tempdir().expect("a directory");
    for (bytes, pages) in [(table(), true), (document(), false), (DEMO.to_vec(), true)] {
        let path = directory.path().join("report.json");
        std::fs::write(&path, bytes).expect("written");
        let found = open(&path, None).expect("it opens");
        assert_eq!(found.contents.is_some(), pages);
    }
    let none = open(&directory.path().join("none"), None).expect_err("not there");
    assert!(none.to_string().contains("No such file"), "{none}");
    assert!(open(directory.path(), None).is_err(), "a directory");
}

#[test]
fn empty_foreign_and_newer_files_are_named_for_what_they_are() {
    assert!(refused(Vec::new()).contains("empty"));
    assert!(refused(b"PAR1".to_vec()).contains("cut off or damaged"));
    assert!(refused(b"\x7fELF".to_vec()).contains("not a whole report"));
    let newer = |of: &[u8], from: &str, to: &str| {
        let mut bytes = of.to_vec();
        let at = bytes
            .windows(from.len())
            .position(|part| part == from.as_bytes());
        let at = at.expect("it is there");
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        assert!(digest::renew(&mut bytes));
        refused(bytes)
    };
    let newer = newer(&table(), "sharestat.snapshot/v1", "sharestat.snapshot/v2");
    assert!(
        newer.contains("newer than 'sharestat.snapshot/v1'"),
        "{newer}"
    );
    for found in ["SHSTREC2", "SHSTREC9 and more"] {
        let why = refused(found.as_bytes().to_vec());
        assert!(why.contains("newer version"), "{why}");
        let directory = tempdir().expect("a directory");
        let file = directory.path().join("run.ssr");
        std::fs::write(&file, found).expect("a file");
        let why = open(&file, None).expect_err("it is newer").to_string();
        assert!(why.contains("run.ssr' was made by a newer"), "{why}");
    }
    assert!(refused(b"SHSTRECx".to_vec()).contains("no recording"));
    let at = of_bytes(document(), "x".to_owned(), Some(Duration::ZERO)).expect_err("one moment");
    assert!(at.to_string().contains("'--at'"), "{at}");
}

#[test]
fn parquet_of_others_is_foreign() {
    use parquet::{file::writer::SerializedFileWriter, schema::parser::parse_message_type};
    let schema = parse_message_type("message m { required int32 a; }").expect("a schema");
    let mut out = Vec::new();
    SerializedFileWriter::new(&mut out, schema.into(), std::sync::Arc::default())
        .and_then(SerializedFileWriter::close)
        .expect("memory takes everything");
    let why = refused(out);
    assert!(why.contains("Parquet file of something else"), "{why}");
}

#[test]
fn every_cut_of_a_table_is_refused() {
    let whole = table();
    for length in 0..whole.len() {
        refused(whole[..length].to_vec());
    }
}

#[test]
fn every_cut_of_a_recording_is_refused_or_told() {
    for length in (0..DEMO.len()).step_by(997).chain(0..64) {
        if let Ok(found) = opened(DEMO[..length].to_vec()) {
            let notes = found.report.measurement.notes;
            assert!(notes.iter().any(|note| note.contains("cut")), "{notes:?}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_table_is_refused() {
    let whole = table();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at * 7 % 8);
        refused(bytes);
    }
}

/// Forged: each byte in turn says something else, and the digest is right.
#[test]
fn a_forged_table_is_refused_or_read_and_no_panic_gets_out() {
    let whole = table();
    let (mut refused, mut read) = (0, 0);
    for at in (4..whole.len() - 8).step_by(2) {
        let mut bytes = whole.clone();
        bytes[at] ^= [1, 0x80, 0xff][at / 2 % 3];
        if digest::renew(&mut bytes) {
            let count = match opened(bytes) {
                Ok(_) => &mut read,
                Err(why) => {
                    println!("{at}: {why}");
                    &mut refused
                }
            };
            *count += 1;
        }
    }
    assert!(refused > 500 && read > 50, "{refused} {read}");
}

#[test]
fn a_flipped_bit_in_a_recording_is_refused_or_told() {
    let mut random = 7_u64;
    for _ in 0..60 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let at = usize::try_from(random >> 33).expect("small") % DEMO.len();
        let mut bytes = DEMO.to_vec();
        bytes[at] ^= 1 << (random % 8);
        if let Ok(found) = opened(bytes) {
            let notes = found.report.measurement.notes;
            assert!(
                notes.iter().any(|note| note.contains("cut")),
                "{at}: {notes:?}"
            );
        }
    }
}

#[test]
fn a_pipe_gives_a_table_as_a_file_does() {
    let directory = tempdir().expect("a directory");
    let pipe = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: cannot make a FIFO");
        return;
    }
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::File::create(pipe)?.write_all(&table())
    });
    assert!(open(&pipe, None).expect("a snapshot").contents.is_some());
    writer.join().expect("it ends").expect("it is written");
}

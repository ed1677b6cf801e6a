//! The questions of docs/snapshots.md, asked by `DuckDB`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::place::{Place, python};

/// The blocks of SQL in the document.
fn questions() -> Vec<&'static str> {
    let document = include_str!("../../../docs/snapshots.md");
    let blocks = document.split("```sql\n").skip(1);
    blocks
        .filter_map(|block| block.split("```").next())
        .collect()
}

#[test]
fn the_questions_of_the_document_have_answers_and_the_first_is_the_headers() {
    let Some(python) = python() else {
        return;
    };
    let place = Place::new();
    place.scan("pages.parquet");
    let questions = questions();
    assert_eq!(questions.len(), 3, "{questions:?}");
    let mut asked = Command::new(python)
        .args(["-c", include_str!("tables.py")])
        .current_dir(place.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let words = serde_json::to_vec(&questions).expect("JSON");
    let mut stdin = asked.stdin.take().expect("a pipe");
    stdin.write_all(&words).expect("written");
    drop(stdin);
    let output = asked.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let report = &found["header"]["report"];
    // 30 pages of 'two', and two copies of the first page of 'one' in 'three'.
    assert_eq!(report["totals"]["duplicate_bytes"], 32 * 4096, "{report}");
    let rows = |question: usize| found["answers"][question].as_array().expect("rows");
    assert_eq!(rows(0)[0][0].as_f64(), Some(32.0 * 4096.0), "{found}");
    let shares: Vec<(String, f64)> = rows(1)
        .iter()
        .map(|row| {
            let path = row[0].as_str().expect("a path");
            let name = path.rsplit('/').next().unwrap_or(path);
            (name.to_owned(), row[1].as_f64().expect("a number"))
        })
        .collect();
    // (c - 1)/c of 4 KiB: 30 pages of two copies each, and three copies of one page.
    let expected = [("one", 63.0), ("two", 60.0), ("three", 5.0)];
    assert_eq!(shares, expected.map(|(name, kib)| (name.to_owned(), kib)));
    let pair = &rows(2)[0];
    let ends = |at: usize, name: &str| pair[at].as_str().is_some_and(|path| path.ends_with(name));
    assert!(
        ends(0, "one") && ends(1, "two") || ends(0, "two") && ends(1, "one"),
        "{pair}"
    );
    assert_eq!(pair[2].as_f64(), Some(120.0), "{pair}");
}

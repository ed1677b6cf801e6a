//! What a row of a report says: its numbers, and which file it is about.

use std::path::Path;

use serde_json::Value;

use crate::expectation::ExpectedFile;

/// A whole number in a row of a report.
#[track_caller]
pub(crate) fn whole(row: &Value, name: &str) -> u64 {
    row[name]
        .as_u64()
        .unwrap_or_else(|| panic!("'{name}' should be a whole number in {row}"))
}

/// The saving share in a row.
#[track_caller]
pub(crate) fn share(row: &Value) -> f64 {
    row["saving_share_bytes"]
        .as_f64()
        .unwrap_or_else(|| panic!("'saving_share_bytes' should be a number in {row}"))
}

/// Whether a row is about this file. A name that is no clean text is shown escaped: then
/// what precedes the first odd character decides.
pub(crate) fn is_row_of(row: &Value, file: &ExpectedFile) -> bool {
    let Some(shown) = row["path"].as_str() else {
        panic!("'path' should be a text in {row}");
    };
    assert!(
        !shown.contains(char::is_control),
        "control characters are escaped in {row}"
    );
    file.paths.iter().any(|path| match clean_text(path) {
        (text, true) => shown == text,
        (text, false) => shown.starts_with(&text),
    })
}

fn clean_text(path: &Path) -> (String, bool) {
    let lossy = path.to_string_lossy();
    let clean: String = lossy
        .chars()
        .take_while(|&letter| !letter.is_control() && letter != char::REPLACEMENT_CHARACTER)
        .collect();
    let whole = clean.len() == lossy.len();
    (clean, whole)
}

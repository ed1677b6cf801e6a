//! Bytes, changes and percentages as words, the same in every format.

use crate::{
    compare::{change::Change, contents::ContentChange},
    model::units::Bytes,
};

/// A number that may be unknown.
pub(super) fn bytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "?".to_owned(), |bytes| Bytes(bytes).to_string())
}

/// A change with its sign, `=` for none.
pub(super) fn change(change: &Change) -> String {
    match change.change_bytes {
        None => "?".to_owned(),
        Some(0) => "=".to_owned(),
        Some(bytes) => {
            let sign = if bytes < 0 { '-' } else { '+' };
            format!("{sign}{}", Bytes(bytes.unsigned_abs()))
        }
    }
}

/// The percentage of a change, and whether it is noise.
pub(super) fn percent(change: &Change) -> String {
    let percent = match (change.change_bytes, change.change_percent) {
        (Some(0) | None, _) => String::new(),
        (Some(_), None) => "new".to_owned(),
        (Some(_), Some(percent)) => format!("{percent:+.1} %"),
    };
    if change.distance() > 0 && change.is_noise() {
        format!("{percent} (noise)")
    } else {
        percent
    }
}

/// Which contents came and went, in two sentences.
pub(super) fn contents(change: &ContentChange) -> String {
    let ContentChange {
        kept_bytes,
        gone_bytes,
        came_bytes,
        duplicate_of_kept_bytes,
        duplicate_of_came_bytes,
    } = *change;
    format!(
        "Contents, one copy each: {} in both, {} only in the base, {} only in the new one. \
         Of the new duplicates {} are of contents that both have, {} of others.",
        Bytes(kept_bytes),
        Bytes(gone_bytes),
        Bytes(came_bytes),
        Bytes(duplicate_of_kept_bytes),
        Bytes(duplicate_of_came_bytes)
    )
}

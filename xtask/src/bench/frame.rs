//! Pictures of the screen, from what `sharestat/benches/frame.rs` prints.

use anyhow::{Context, Result};

use super::{
    Setting,
    row::{Row, Target},
};
use crate::{process::Run, workspace};

/// A picture at 60 Hz.
const PICTURE_MS: f64 = 16.0;

/// Runs the benchmark and makes rows of what it prints.
pub(super) fn measure(_: &Setting) -> Result<Vec<Row>> {
    let text = workspace::cargo("bench")
        .args(["--package", "sharestat", "--bench", "frame"])
        .text()
        .context("the benchmark of the screen failed")?;
    Ok(rows(&text))
}

/// The worst picture while moving is judged; the others are told.
fn rows(text: &str) -> Vec<Row> {
    let setting = text.lines().find(|line| line.contains(" files, "));
    let figures = text.lines().filter_map(|line| {
        let (number, what) = line.trim().split_once(" ms  ")?;
        Some((number.parse::<f64>().ok()?, what))
    });
    let (worst, others): (Vec<_>, Vec<_>) =
        figures.partition(|(_, what)| what.starts_with("worst"));
    let moving = others.iter().filter(|(_, what)| what.starts_with("moving"));
    let row = |what: &str, value: Option<f64>, target, note: &str| Row {
        what: format!("screen: {what}"),
        ours: value
            .map(|time| format!("{time:.2} ms"))
            .unwrap_or_default(),
        other: String::new(),
        value,
        target,
        note: note.to_owned(),
    };
    let note = worst.first().map_or("", |(_, what)| *what);
    let note = format!(
        "milliseconds, nine of ten pictures in each of {} views, {note}; {}",
        moving.count(),
        setting.unwrap_or_default().trim()
    );
    let value = worst.first().map(|(time, _)| *time);
    let mut rows = vec![row("moving", value, Target::AtMost(PICTURE_MS), &note)];
    for (time, what) in others
        .iter()
        .filter(|(_, what)| !what.starts_with("moving"))
    {
        rows.push(row(what, Some(*time), Target::None, "milliseconds, median"));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_picture_is_judged_and_a_missing_one_is_no_success() {
        let text = "9 files, 2 layers on 200 by 60\n  0.31 ms  moving in Files\n 17.00 ms  moving in Health\n 17.00 ms  worst, in Health\n 40.00 ms  new lists in files\n";
        let all = rows(text);
        assert_eq!(all[0].value, Some(17.0));
        assert!(all[0].misses() && all[0].note.contains("2 views, worst, in Health"));
        assert_eq!((all.len(), all[1].value), (2, Some(40.0)));
        assert_eq!(rows("")[0].value, None);
    }
}

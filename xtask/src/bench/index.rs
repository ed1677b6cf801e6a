//! The content index alone, from what `sharestat/benches/index.rs` prints.

use anyhow::{Context, Result};

use super::{
    Setting,
    row::{Row, Target},
};
use crate::{process::Run, workspace};

/// Questions of the benchmark that become rows.
const QUESTIONS: [&str; 6] = [
    "insert in runs (user engine)",
    "add, claim, observe in runs (BPF engine)",
    "file rows",
    "savings",
    "savings, all files of one size",
    "remove everything",
];

/// Runs the benchmark and makes rows of what it prints.
pub(super) fn measure(_: &Setting) -> Result<Vec<Row>> {
    let text = workspace::cargo("bench")
        .args(["--package", "sharestat", "--bench", "index"])
        .text()
        .context("the benchmark of the index failed")?;
    Ok(rows(&text))
}

fn rows(text: &str) -> Vec<Row> {
    let number = |unit: &str| {
        text.lines().find_map(|line| {
            let (number, _) = line.trim().split_once(unit)?;
            number.trim().parse::<f64>().ok()
        })
    };
    let pages = number(" pages,").unwrap_or(f64::NAN);
    let mut rows = vec![Row {
        what: "memory of the index per page".to_owned(),
        ours: String::new(),
        other: format!("{:.1} M pages", pages / 1e6),
        value: number(" bytes per page"),
        target: Target::AtMost(32.0),
        note: "bytes, its own estimate".to_owned(),
    }];
    for question in QUESTIONS {
        let milliseconds = text.lines().find_map(|line| {
            let (number, asked) = line.trim().split_once(" ms  ")?;
            (asked == question).then(|| number.parse::<f64>().ok())?
        });
        rows.push(Row {
            what: format!("index: {question}"),
            ours: milliseconds
                .map(|time| format!("{time:.0} ms"))
                .unwrap_or_default(),
            other: String::new(),
            value: milliseconds.map(|time| time * 1e6 / pages),
            target: Target::None,
            note: "nanoseconds per page".to_owned(),
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_rows() {
        let text = "      500 ms  insert in runs (user engine)\n     5000000 pages, Totals {}\n          24 bytes per page\n       50 ms  savings\n";
        let rows = rows(text);
        assert_eq!(rows[0].value, Some(24.0));
        assert_eq!(rows[1].value, Some(100.0));
        assert_eq!(rows[4].value, Some(10.0));
        assert_eq!(rows[3].value, None);
    }
}

//! The table of pages of a large cache, from what `sharestat/benches/table.rs` prints.

use anyhow::{Context, Result};

use super::{
    Setting,
    row::{Row, Target},
};
use crate::{process::Run, workspace};

/// Runs the benchmark and makes rows of what it prints.
pub(super) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let text = workspace::cargo("bench")
        .args(["--package", "sharestat", "--bench", "table"])
        .env("SHARESTAT_BENCH_FOLDER", &setting.folder)
        .text()
        .context("the benchmark of tables failed")?;
    Ok(rows(&text))
}

fn rows(text: &str) -> Vec<Row> {
    let number = |after: &str| {
        text.lines().find_map(|line| {
            let (number, rest) = line.trim().split_once(' ')?;
            (rest.trim() == after).then(|| number.parse::<f64>().ok())?
        })
    };
    let row = |what: &str, value: Option<f64>, target: Target, note: &str| Row {
        what: format!("table of pages: {what}"),
        ours: String::new(),
        other: "24 GiB of page cache".to_owned(),
        value,
        target,
        note: note.to_owned(),
    };
    let megabytes = number("bytes").map(|bytes| bytes / 1e6);
    let seconds = number("ms  write").map(|time| time / 1e3);
    let back = number("ms  read back").map(|time| time / 1e3);
    vec![
        row("size", megabytes, Target::AtMost(100.0), "MB"),
        row(
            "written",
            seconds,
            Target::AtMost(5.0),
            "seconds, on storage",
        ),
        row("read back", back, Target::None, "seconds"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_rows() {
        let text = "  6291456 pages\n     1500 ms  report\n     2500 ms  write\n 60000000 bytes\n";
        let rows = rows(text);
        let values: Vec<_> = rows.iter().map(|row| row.value).collect();
        assert_eq!(values, [Some(60.0), Some(2.5), None]);
    }
}

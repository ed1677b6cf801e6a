//! Hashing and walking, from the figures that `sharestat/benches/kernel` prints.

use anyhow::{Context, Result};

use super::{
    Setting,
    row::{Row, Target},
    stats::{median, median_ratio},
};
use crate::{build, process::Run, workspace};

/// Builds and runs the benchmark, and makes rows of what it prints.
pub(super) fn measure(_: &Setting) -> Result<Vec<Row>> {
    let object = build::bpf_object()?;
    let text = workspace::cargo("bench")
        .args(["--package", "sharestat", "--bench", "kernel"])
        .env("SHARESTAT_BPF_OBJECT", object)
        .text()
        .context("the benchmark of the kernel programs failed")?;
    Ok(rows(&text))
}

fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, what) in [
        ("large", "hash pages of large folios"),
        ("single", "hash pages of single folios"),
    ] {
        let lines = figures(text, &["hash", name]);
        rows.push(Row {
            what: what.to_owned(),
            ours: format!("{:.0} ns/page", column(&lines, 0)),
            other: format!("memcpy {:.0} ns/page", column(&lines, 1)),
            value: Some(median_ratio(&pairs(&lines, 1, 0))),
            target: Target::AtLeast(0.25),
            note: format!(
                "share of memcpy; from cache memcpy takes {:.0} ns",
                column(&lines, 2)
            ),
        });
    }
    let workers = figures(text, &["workers"]);
    let rate = |number: usize| column(&workers, number) / 1e6;
    rows.push(Row {
        what: "hash with two workers".to_owned(),
        ours: format!("{:.2} M pages/s", rate(1)),
        other: format!("one worker {:.2} M pages/s", rate(0)),
        value: Some(median_ratio(&pairs(&workers, 1, 0))),
        target: Target::AtLeast(1.8),
        note: format!(
            "real time; two processors copy {:.2} times as fast as one",
            median_ratio(&pairs(&workers, 3, 2))
        ),
    });
    let walks = figures(text, &["walk"]);
    let rate = column(&walks, 0);
    rows.push(match walks.first().and_then(|line| line.get(1)) {
        Some(frames) => Row {
            what: "walk frames that are no page cache".to_owned(),
            ours: format!("{:.1} M frames/s", rate / 1e6),
            other: String::new(),
            value: Some(rate / 1e6),
            target: Target::AtLeast(20.0),
            note: format!("over {frames:.0} frames"),
        },
        None => Row::absent(
            "walk frames that are no page cache",
            "all blocks of memory hold page cache",
        ),
    });
    rows
}

/// Median of one number of each line.
fn column(lines: &[Vec<f64>], number: usize) -> f64 {
    let values: Vec<f64> = lines
        .iter()
        .filter_map(|line| line.get(number).copied())
        .collect();
    median(&values)
}

/// Two numbers of each line.
fn pairs(lines: &[Vec<f64>], one: usize, other: usize) -> Vec<(f64, f64)> {
    lines
        .iter()
        .filter_map(|line| Some((*line.get(one)?, *line.get(other)?)))
        .collect()
}

/// The numbers of each line that begins with `words`.
fn figures(text: &str, words: &[&str]) -> Vec<Vec<f64>> {
    text.lines()
        .filter_map(|line| {
            let mut rest = line.split_whitespace();
            words
                .iter()
                .all(|word| rest.next() == Some(word))
                .then(|| rest.filter_map(|number| number.parse().ok()).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_their_words() {
        let text = "hash large 10 5 1\nhash single 20 5 1\nhash large 30 6 1\nwalk 7 64\n";
        assert_eq!(
            figures(text, &["hash", "large"]),
            [vec![10.0, 5.0, 1.0], vec![30.0, 6.0, 1.0]]
        );
        let rows = rows(text);
        assert_eq!(rows[0].value, Some(f64::midpoint(0.5, 0.2)));
        assert_eq!(rows[1].value, Some(0.25));
    }
}

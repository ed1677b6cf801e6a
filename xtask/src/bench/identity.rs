//! Layers of a large host, from what `sharestat/benches/identity.rs` prints.

use anyhow::{Context, Result};

use super::{
    Setting,
    row::{Row, Target},
};
use crate::{process::Run, workspace};

/// Milliseconds that 5,000 layers and 100,000 inodes may take.
const MOST_MS: f64 = 2000.0;

/// Lines of the benchmark that become rows, and what they may take.
const LINES: [(&str, Target); 4] = [
    ("reading stores and mounts", Target::None),
    ("resolving 100000 of 100000 inodes", Target::None),
    ("in all", Target::AtMost(MOST_MS)),
    ("asking whether anything changed (false)", Target::None),
];

/// Runs the benchmark and makes rows of what it prints.
pub(super) fn measure(_: &Setting) -> Result<Vec<Row>> {
    let text = workspace::cargo("bench")
        .args(["--package", "sharestat", "--bench", "identity"])
        .text()
        .context("the benchmark of layers failed")?;
    Ok(rows(&text))
}

fn rows(text: &str) -> Vec<Row> {
    let row = |(line, target): (&str, Target)| {
        let milliseconds = text.lines().find_map(|printed| {
            let (number, what) = printed.trim().split_once(" ms  ")?;
            (what == line).then(|| number.parse::<f64>().ok())?
        });
        Row {
            what: format!("5,000 layers: {line}"),
            ours: milliseconds
                .map(|time| format!("{time:.0} ms"))
                .unwrap_or_default(),
            other: String::new(),
            value: milliseconds,
            target,
            note: "milliseconds".to_owned(),
        }
    };
    LINES.map(row).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_reading_misses_and_so_does_an_inode_that_is_not_found() {
        let text = "     5000 layers, 500 stacks, 0 warnings\n      120 ms  reading stores and mounts\n       80 ms  resolving 100000 of 100000 inodes\n     2100 ms  in all\n";
        let rows = rows(text);
        assert_eq!(rows[0].value, Some(120.0));
        assert!(rows[2].misses());
        assert_eq!(rows[3].value, None);
        let lost = super::rows(&text.replace("resolving 100000", "resolving 99999"));
        assert_eq!(lost[1].value, None);
    }
}

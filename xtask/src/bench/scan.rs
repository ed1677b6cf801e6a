//! How long a scan of the whole machine takes.

use std::{process::Stdio, time::Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{
    Setting,
    row::{Row, Target},
    stats::median,
    top::prompt,
};

/// Seconds that the issue allows for a machine of 24 GiB.
const MOST_SECONDS: f64 = 2.0;

/// Makes the row.
pub(super) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let mut times = Vec::new();
    let mut measured = Vec::new();
    let mut cached = 0.0;
    for _ in 0..setting.rounds {
        let begun = Instant::now();
        let output = prompt(&setting.binary)
            .args(["scan", "--top", "20", "--format", "json", "--quiet"])
            .stderr(Stdio::null())
            .output()
            .context("'scan' cannot be started")?;
        if !output.status.success() {
            bail!("'scan' failed: {}", output.status);
        }
        times.push(begun.elapsed().as_secs_f64());
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let number = |path: &str| {
            report
                .pointer(path)
                .and_then(Value::as_f64)
                .unwrap_or(f64::NAN)
        };
        measured.push(number("/measurement/duration_ns") / 1e9);
        cached = number("/coverage/resident_pages") / 262_144.0;
    }
    Ok(vec![Row {
        what: "scan of the whole machine".to_owned(),
        ours: format!("{:.2} s", median(&times)),
        other: String::new(),
        value: Some(median(&times)),
        target: Target::AtMost(MOST_SECONDS),
        note: format!(
            "from start to end at real-time priority, {cached:.1} GiB cached; measuring itself {:.2} s",
            median(&measured)
        ),
    }])
}

//! The report as one JSON object per line, each with its `type`, for tools that read
//! line by line: the measurement first, then every row of every list.

use std::io::{self, Write};

use serde::Serialize;

use super::{
    Report,
    document::{AvoidableInfo, Coverage, IdentityInfo, MeasurementInfo, Tool, TotalBytes},
    host::Host,
};

/// One line: a row and what it is.
#[derive(Serialize)]
struct Line<'a, T> {
    r#type: &'a str,
    #[serde(flatten)]
    row: &'a T,
}

/// Everything of a report that is not a list.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'a str,
    tool: &'a Tool,
    host: &'a Host,
    measurement: &'a MeasurementInfo,
    coverage: &'a Coverage,
    totals: &'a TotalBytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    avoidable: Option<&'a AvoidableInfo>,
    identity: &'a IdentityInfo,
}

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    let Report {
        schema,
        tool,
        host,
        measurement,
        coverage,
        totals,
        scopes,
        mechanisms,
        filesystems,
        copy_ups,
        layer_pairs,
        advice,
        identity,
        layers,
        images,
        containers,
        memcgs,
        avoidable,
        files,
        timeline,
    } = report;
    let head = Head {
        schema,
        tool,
        host,
        measurement,
        coverage,
        totals,
        avoidable: avoidable.as_ref(),
        identity,
    };
    lines(&mut out, "report", std::slice::from_ref(&head))?;
    lines(&mut out, "scope", scopes)?;
    lines(&mut out, "mechanism", mechanisms)?;
    lines(&mut out, "filesystem", filesystems)?;
    lines(&mut out, "copy_up", copy_ups)?;
    lines(&mut out, "layer_pair", layer_pairs)?;
    lines(&mut out, "advice", advice)?;
    lines(&mut out, "layer", layers)?;
    lines(&mut out, "image", images)?;
    lines(&mut out, "container", containers)?;
    lines(&mut out, "memcg", memcgs)?;
    lines(&mut out, "file", files)?;
    lines(&mut out, "moment", timeline)
}

fn lines<T: Serialize>(mut out: impl Write, kind: &str, rows: &[T]) -> io::Result<()> {
    for row in rows {
        serde_json::to_writer(&mut out, &Line { r#type: kind, row })?;
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::sample;

    #[test]
    fn every_line_is_an_object_that_says_what_it_is() {
        let report = sample::report();
        let mut out = Vec::new();
        write(&report, &mut out).expect("memory takes everything");
        let text = String::from_utf8(out).expect("JSON is UTF-8");
        let rows: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("one object a line"))
            .collect();
        let count = |kind: &str| rows.iter().filter(|row| row["type"] == kind).count();
        assert_eq!(rows[0]["type"], "report");
        assert_eq!(
            rows[0]["totals"]["duplicate_bytes"],
            report.totals.duplicate_bytes
        );
        assert_eq!(count("scope"), report.scopes.len());
        assert_eq!(count("mechanism"), report.mechanisms.len());
        assert_eq!(count("filesystem"), report.filesystems.len());
        assert_eq!(count("file"), report.files.len());
        let last = rows.last().expect("there are files");
        assert_eq!(
            last["path"],
            report.files.last().expect("files").path.as_str()
        );
    }
}

//! The outcome of a check as SARIF 2.1.0: one result per rule that failed or could not be
//! judged. What passes is no finding.

use std::{
    fmt::Write as _,
    io::{self, Write},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use serde_sarif::sarif::{
    ArtifactLocation, Location, LogicalLocation, Message, MultiformatMessageString,
    PhysicalLocation, ReportingDescriptor, Result as Finding, ResultKind, ResultLevel, Run, Sarif,
    Tool, ToolComponent,
};

use crate::compare::check::{Check, Outcome, Verdict};

/// Writes the outcome of a check; `artifact` is the file that the findings are shown at,
/// because code scanning takes no finding without one.
///
/// # Errors
/// When `out` cannot be written.
pub fn check(check: &Check, artifact: &Path, mut out: impl Write) -> io::Result<()> {
    let artifact = uri(artifact);
    let findings = check.results.iter();
    let findings = findings.filter_map(|outcome| finding(outcome, &artifact));
    let mut names: Vec<&str> = check
        .results
        .iter()
        .map(|outcome| outcome.rule.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let driver = ToolComponent::builder()
        .name(check.tool.name.as_str())
        .version(check.tool.version.as_str())
        .rules(names.into_iter().map(descriptor).collect::<Vec<_>>())
        .build();
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .results(findings.collect::<Vec<_>>())
        .build();
    let sarif = Sarif::builder()
        .version(serde_json::json!("2.1.0"))
        .schema("https://json.schemastore.org/sarif-2.1.0.json")
        .runs(vec![run])
        .build();
    serde_json::to_writer_pretty(&mut out, &sarif)?;
    writeln!(out)
}

/// The path as a reference by RFC 3986: what a part of a path may not hold is escaped.
fn uri(path: &Path) -> String {
    let mut uri = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(*byte));
            }
            // Writing to a String cannot fail.
            other => drop(write!(uri, "%{other:02X}")),
        }
    }
    uri
}

fn descriptor(rule: &str) -> ReportingDescriptor {
    let words = format!("limit of duplicate page cache: {rule}");
    ReportingDescriptor::builder()
        .id(rule)
        .short_description(MultiformatMessageString::builder().text(words).build())
        .build()
}

fn finding(outcome: &Outcome, artifact: &str) -> Option<Finding> {
    let (kind, level) = match outcome.verdict {
        Verdict::Pass => return None,
        Verdict::Fail => (ResultKind::Fail, ResultLevel::Error),
        Verdict::Skip => (ResultKind::NotApplicable, ResultLevel::None),
    };
    let place = PhysicalLocation::builder()
        .artifact_location(ArtifactLocation::builder().uri(artifact).build())
        .build();
    let name = LogicalLocation::builder()
        .fully_qualified_name(outcome.measure.as_str())
        .build();
    let location = Location::builder()
        .physical_location(place)
        .logical_locations(vec![name])
        .build();
    let words = format!("{}: {}", outcome.measure, outcome.reason);
    Some(
        Finding::builder()
            .rule_id(outcome.rule.as_str())
            .kind(kind)
            .level(level)
            .message(Message::builder().text(words).build())
            .locations(vec![location])
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::sample;

    #[test]
    fn what_fails_is_an_error_and_what_passes_is_no_finding() {
        let document = sample::checked(None);
        let mut out = Vec::new();
        check(&document, Path::new("ci/a b.toml"), &mut out).expect("memory takes everything");
        let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(value["version"], "2.1.0");
        let run = &value["runs"][0];
        assert_eq!(
            run["tool"]["driver"]["rules"].as_array().map(Vec::len),
            Some(3)
        );
        let results = run["results"].as_array().expect("a list");
        assert_eq!(results.len(), 2);
        assert_eq!(
            (&results[0]["level"], &results[0]["ruleId"]),
            (&"error".into(), &"duplicate".into())
        );
        assert_eq!(results[1]["kind"], "notApplicable");
        let place = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(place, "ci/a%20b.toml");
    }
}

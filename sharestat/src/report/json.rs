//! The report as one JSON document, and the JSON Schema that describes it.

use std::io::{self, Write};

use super::Report;

/// Writes the report, indented, with a final newline.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, report)?;
    writeln!(out)
}

/// Reads a report back.
///
/// # Errors
/// When it is not JSON or a field is missing.
pub fn read(text: &str) -> serde_json::Result<Report> {
    serde_json::from_str(text)
}

/// The JSON Schema of [`Report`], as published in `docs/report.schema.json`.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Report);
    format!("{:#}\n", schema.as_value())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use serde_json::{Value, json};

    use super::*;
    use crate::report::sample;

    fn written(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).expect("memory takes everything");
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn what_was_written_reads_back_equal() {
        let report = sample::report();
        assert_eq!(read(&written(&report)).expect("it is complete"), report);
    }

    #[test]
    fn unknown_fields_are_allowed_and_none_may_be_missing() {
        let mut value: Value = serde_json::from_str(&written(&sample::report())).expect("JSON");
        value["later"] = json!({"more": 1});
        assert!(read(&value.to_string()).is_ok());
        let fields: Vec<String> = value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        for field in fields.iter().filter(|field| *field != "later") {
            let mut less = value.clone();
            less.as_object_mut().expect("an object").remove(field);
            assert!(read(&less.to_string()).is_err(), "'{field}' may be missing");
        }
    }

    /// Set `SHARESTAT_UPDATE_DOCS=1` to write the file anew.
    #[test]
    fn the_published_schema_is_current() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/report.schema.json");
        if std::env::var_os("SHARESTAT_UPDATE_DOCS").is_some() {
            fs::write(&path, schema()).expect("docs can be written");
        }
        let published = fs::read_to_string(&path).expect("docs/report.schema.json is there");
        assert_eq!(
            published,
            schema(),
            "run this test with SHARESTAT_UPDATE_DOCS=1"
        );
    }

    #[test]
    fn the_schema_requires_every_field_that_is_written() {
        let schema: Value = serde_json::from_str(&schema()).expect("JSON");
        let report: Value = serde_json::from_str(&written(&sample::report())).expect("JSON");
        let required = schema["required"].as_array().expect("a list");
        for field in report.as_object().expect("an object").keys() {
            assert!(
                required.contains(&json!(field)),
                "'{field}' is not required"
            );
        }
    }
}

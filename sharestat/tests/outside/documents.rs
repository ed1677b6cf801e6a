//! Every JSON document that the program writes, held to its published schema by a
//! validator that is not ours.

use std::{fs, process::Command};

use serde_json::Value;

use crate::place::{Place, python};

const SCHEMAS: [(&str, &str); 5] = [
    ("report", include_str!("../../../docs/report.schema.json")),
    ("diff", include_str!("../../../docs/diff.schema.json")),
    ("check", include_str!("../../../docs/check.schema.json")),
    ("doctor", include_str!("../../../docs/doctor.schema.json")),
    ("plan", include_str!("../../../docs/plan.schema.json")),
];

/// The schema, the document's file, and the command that prints it.
const DOCUMENTS: [(&str, &str, &[&str]); 10] = [
    (
        "report",
        "of-report.json",
        &["report", "scan.json", "--format", "json"],
    ),
    (
        "report",
        "of-table.json",
        &["report", "pages.parquet", "--format", "json"],
    ),
    (
        "report",
        "of-recording.json",
        &["report", "demo.ssr", "--format", "json"],
    ),
    (
        "report",
        "of-image.json",
        &["image", "-q", "data", "--format", "json"],
    ),
    (
        "diff",
        "diff.json",
        &["diff", "pages.parquet", "demo.ssr", "--format", "json"],
    ),
    (
        "diff",
        "same.json",
        &["diff", "pages.parquet", "pages.parquet", "--format", "json"],
    ),
    (
        "check",
        "check.json",
        &["check", "scan.json", "pages.parquet", "--format", "json"],
    ),
    ("doctor", "doctor.json", &["doctor", "--format", "json"]),
    (
        "plan",
        "plan-by-hand.json",
        &[
            "plan", "--memory", "64GiB", "--image", "web=1GiB", "--format", "json",
        ],
    ),
    (
        "plan",
        "plan-of-recording.json",
        &["plan", "demo.ssr", "--memory", "64GiB", "--format", "json"],
    ),
];

#[test]
fn every_document_is_what_its_schema_says() {
    let Some(python) = python() else {
        return;
    };
    let place = Place::new();
    place.scan("scan.json");
    place.scan("pages.parquet");
    for (name, schema) in SCHEMAS {
        fs::write(place.path().join(format!("{name}.schema")), schema).expect("written");
    }
    let validate = |pairs: &[(String, &str)]| {
        let words = pairs
            .iter()
            .flat_map(|(schema, document)| [schema.as_str(), *document]);
        let mut command = Command::new(&python);
        command
            .args(["-c", include_str!("documents.py")])
            .args(words);
        command
            .current_dir(place.path())
            .output()
            .expect("it starts")
    };
    let mut pairs = vec![("report.schema".to_owned(), "scan.json")];
    for (schema, file, arguments) in DOCUMENTS {
        // 'doctor' tells by its exit code what this machine lacks.
        let written = place.sharestat(arguments).stdout;
        fs::write(place.path().join(file), written).expect("written");
        pairs.push((format!("{schema}.schema"), file));
    }
    let output = validate(&pairs);
    assert!(output.status.success(), "{output:?}");
    // A document that lies about a type is found, else nothing was held to anything.
    let path = place.path().join("wrong.json");
    let text = fs::read(place.path().join("of-table.json")).expect("it is there");
    let mut wrong: Value = serde_json::from_slice(&text).expect("JSON");
    wrong["totals"]["duplicate_bytes"] = "many".into();
    fs::write(&path, wrong.to_string()).expect("written");
    let output = validate(&[("report.schema".to_owned(), "wrong.json")]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("duplicate_bytes"), "{output:?}");
}

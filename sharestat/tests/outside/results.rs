//! The outcome of a check as those read it who show test results and code scanning: the
//! schema of SARIF that OASIS publishes, and a reader of `JUnit` files.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;

use crate::{
    place::{Place, python},
    skip::skipped,
};

/// The rules of a check of which one fails, one passes and one cannot be judged.
const RULES: [&str; 3] = [
    "duplicate,max_bytes=1,name=no <more> & \"more\"",
    "zero,max_bytes=1TiB",
    "image:nginx,bytes=1",
];

fn checked(place: &Place, format: &str) -> Vec<u8> {
    let mut words = vec!["check", "--format", format];
    for rule in RULES {
        words.extend(["--rule", rule]);
    }
    words.push("a report.json");
    let output = place.sharestat(&words);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    output.stdout
}

fn place() -> Place {
    let place = Place::new();
    let image = place.sharestat(&["image", "-q", "data", "--top", "0", "-o", "a report.json"]);
    assert!(image.status.success(), "{image:?}");
    place
}

/// The schema as it lies in the crate that we write SARIF with.
fn schema() -> Option<PathBuf> {
    // Crates for other platforms need not be there.
    let platform = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let metadata = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let found: Value = serde_json::from_slice(&metadata.stdout).ok()?;
    let mut packages = found["packages"].as_array()?.iter();
    let package = packages.find(|package| package["name"] == "serde-sarif")?;
    let manifest = PathBuf::from(package["manifest_path"].as_str()?);
    Some(manifest.with_file_name("src/schema.json")).filter(|schema| schema.is_file())
}

fn validated(place: &Place, python: &PathBuf, schema: &PathBuf, document: &str) -> Output {
    Command::new(python)
        .args(["-c", include_str!("documents.py")])
        .arg(schema)
        .arg(document)
        .current_dir(place.path())
        .output()
        .expect("it starts")
}

#[test]
fn code_scanning_gets_what_the_schema_of_sarif_says() {
    let Some(python) = python() else {
        return;
    };
    let Some(schema) = schema() else {
        skipped("no schema of SARIF in the sources of the crates");
        return;
    };
    let text = fs::read_to_string(&schema).expect("it reads");
    assert!(text.contains("oasis-tcs/sarif-spec"), "another schema");
    let place = place();
    let sarif = checked(&place, "sarif");
    fs::write(place.path().join("check.sarif"), &sarif).expect("written");
    let output = validated(&place, &python, &schema, "check.sarif");
    assert!(output.status.success(), "{output:?}");
    let mut wrong: Value = serde_json::from_slice(&sarif).expect("JSON");
    let results = wrong["runs"][0]["results"].as_array().expect("a list");
    assert_eq!(results.len(), 2, "one failed, one was skipped");
    wrong["runs"][0]["results"][0]["level"] = "fatal".into();
    fs::write(place.path().join("wrong.sarif"), wrong.to_string()).expect("written");
    let output = validated(&place, &python, &schema, "wrong.sarif");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn viewers_of_test_results_find_every_rule_with_its_outcome() {
    let Some(python) = python() else {
        return;
    };
    let place = place();
    let xml = checked(&place, "junit");
    fs::write(place.path().join("check.xml"), xml).expect("written");
    let output = Command::new(python)
        .args(["-c", include_str!("results.py"), "check.xml"])
        .current_dir(place.path())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let [tests, failures, skipped, errors] =
        ["tests", "failures", "skipped", "errors"].map(|count| found[count].as_u64());
    assert_eq!(
        [tests, failures, skipped, errors],
        [Some(3), Some(1), Some(1), Some(0)]
    );
    let cases = &found["cases"];
    assert_eq!(cases[0][0], "no <more> & \"more\"");
    assert_eq!(cases[0][1], "duplicate");
    assert_eq!(cases[0][2], "Failure");
    let why = cases[0][3].as_str().expect("a reason");
    // 30 pages of 'two', and two copies of the first page of 'one' in 'three'.
    assert!(
        why.starts_with("128.0 KiB") && why.ends_with("more than 1 B"),
        "{why}"
    );
    assert_eq!(
        cases[1],
        serde_json::json!(["zero", "zero", "passed", null])
    );
    assert_eq!(cases[2][2], "Skipped");
}

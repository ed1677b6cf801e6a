//! The published JSON Schemas of comparisons are what this program writes.

use std::{fs, path::PathBuf};

use schemars::{JsonSchema, schema_for};

use super::{check::Check, diff::Diff};

/// Set `SHARESTAT_UPDATE_DOCS=1` to write the file anew.
fn is_published<T: JsonSchema>(name: &str) {
    let schema = format!("{:#}\n", schema_for!(T).as_value());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    if std::env::var_os("SHARESTAT_UPDATE_DOCS").is_some() {
        fs::write(&path, &schema).expect("docs can be written");
    }
    let published = fs::read_to_string(&path).expect("the schema is in docs");
    assert_eq!(
        published, schema,
        "run this test with SHARESTAT_UPDATE_DOCS=1"
    );
}

#[test]
fn the_published_schemas_are_current() {
    is_published::<Diff>("diff.schema.json");
    is_published::<Check>("check.schema.json");
}

//! `sharestat derefs diff`: what differs between two results.

use std::{fs, path::Path};

use super::super::{
    exit::{Exit, Failure},
    output,
};
use super::args::{DiffArgs, SitesFormat};
use crate::{
    derefs::{
        diff::difference,
        document::{Document, SCHEMA},
    },
    identity::escape::printable,
};

pub(super) fn run(arguments: &DiffArgs) -> Result<Exit, Failure> {
    let before = read(&arguments.before)?;
    let after = read(&arguments.after)?;
    let difference = difference(&before, &after);
    output::write(arguments.output.as_deref(), |out| match arguments.format {
        SitesFormat::Text => difference.write_text(out),
        SitesFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &difference)?;
            out.write_all(b"\n")
        }
    })?;
    Ok(Exit::Ok)
}

fn read(path: &Path) -> Result<Document, Failure> {
    let wrong = |why: String| {
        Failure::new(
            Exit::Usage,
            format!(
                "cannot compare '{}': {why}; give results of 'sharestat derefs watch --format json'",
                printable(path)
            ),
        )
    };
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if document.schema == SCHEMA {
        Ok(document)
    } else {
        Err(wrong(format!("its schema is '{}'", document.schema)))
    }
}

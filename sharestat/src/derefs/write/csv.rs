//! The sites as CSV, with everything that programs may want.

use std::io::{self, Write};

use super::{COLUMNS, Column};
use crate::{derefs::document::Document, report::csv};

/// More, for programs.
const MORE: [Column; 8] = [
    ("id", |site| site.id.clone()),
    ("function", |site| site.function.clone()),
    ("instruction", |site| {
        site.instruction.clone().unwrap_or_default()
    }),
    ("shareable_hits", |site| site.shareable_hits.to_string()),
    ("other_hits", |site| site.other_hits.to_string()),
    ("commands", |site| site.commands.join(" ")),
    ("steps", |site| site.steps.join(" ")),
    ("stack", |site| site.stack.join(";")),
];

/// Writes the sites as CSV.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_csv(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let columns: Vec<Column> = COLUMNS.into_iter().chain(MORE).collect();
    csv::line(
        &mut *out,
        columns.iter().map(|(heading, _)| heading.replace(' ', "_")),
    )?;
    for site in &document.sites {
        csv::line(&mut *out, columns.iter().map(|(_, cell)| cell(site)))?;
    }
    Ok(())
}

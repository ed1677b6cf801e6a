//! The document as a page.

use std::io::{self, Write};

use super::{header, notes, tables, used};
use crate::{
    derefs::document::Document,
    report::markdown::{cell, row},
};

/// Writes Markdown: the same, as a page.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_markdown(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "# Which code dereferences `folio->mapping`: Linux {}\n",
        document.host.kernel
    )?;
    for line in header(document) {
        writeln!(out, "- {line}")?;
    }
    writeln!(out, "\n## Answer\n")?;
    for sentence in &document.summary {
        writeln!(out, "- {}", cell(sentence))?;
    }
    writeln!(out, "\n## Sites that were hit\n")?;
    let columns = used(document);
    let heading: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    row(&mut *out, heading.iter().map(|cell| (*cell).to_owned()))?;
    row(&mut *out, columns.iter().map(|_| "---".to_owned()))?;
    for site in &document.sites {
        row(
            &mut *out,
            columns.iter().map(|(_, words)| cell(&words(site))),
        )?;
    }
    for table in tables(document) {
        writeln!(out, "\n## {}\n", table.title)?;
        row(&mut *out, table.columns.iter().map(|words| cell(words)))?;
        row(&mut *out, table.columns.iter().map(|_| "---".to_owned()))?;
        for words in &table.rows {
            row(&mut *out, words.iter().map(|words| cell(words)))?;
        }
    }
    if !document.steps.is_empty() {
        writeln!(out, "\n## Workload\n")?;
        row(&mut *out, ["step", "ran", "hits", "sites", ""])?;
        row(&mut *out, ["---"; 5])?;
        for step in &document.steps {
            let ran = if step.ran { "yes" } else { "no" }.to_owned();
            row(
                &mut *out,
                [
                    step.name.clone(),
                    ran,
                    step.hits.to_string(),
                    step.sites.to_string(),
                    cell(&step.note),
                ],
            )?;
        }
    }
    if let Some(explained) = &document.explained {
        writeln!(
            out,
            "\n## Static sites that were not reached\n\nNot reached by this workload. That does not \
             make them safe.\n"
        )?;
        row(&mut *out, ["site", "subsystem", "kind", "class"])?;
        row(&mut *out, ["---"; 4])?;
        for site in &explained.not_reached {
            row(
                &mut *out,
                [&site.place, &site.subsystem, &site.kind, &site.class].map(|words| cell(words)),
            )?;
        }
    }
    writeln!(out, "\n## How to read this\n")?;
    for note in notes(document) {
        writeln!(out, "- {}", cell(&note))?;
    }
    if !document.not_of_files.is_empty() {
        writeln!(
            out,
            "\nTouched the watched words only when they belonged to no file:\n"
        )?;
        for site in &document.not_of_files {
            writeln!(out, "- {} ({} times)", cell(&site.place()), site.other_hits)?;
        }
    }
    Ok(())
}

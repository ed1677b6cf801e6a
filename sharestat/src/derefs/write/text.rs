//! The document for people: what was measured, the answer, the sites.

use std::io::{self, Write};

use super::{header, notes, tables, used};
use crate::{
    derefs::document::Document,
    report::text::{Layout, arrange, print, table},
};

/// Writes for people: summary first, then `top` rows (0 for all).
///
/// # Errors
/// When `out` cannot be written.
pub fn write_text(document: &Document, top: usize, out: &mut dyn Write) -> io::Result<()> {
    for line in header(document) {
        writeln!(out, "{line}")?;
    }
    for stratum in &document.strata {
        writeln!(
            out,
            "  {:<10} {:>9} folios, {:>6} watched, {:.2} folio seconds",
            stratum.name, stratum.folios, stratum.watched, stratum.seconds
        )?;
    }
    writeln!(out)?;
    for sentence in &document.summary {
        writeln!(out, "- {sentence}")?;
    }
    writeln!(out)?;
    let columns = used(document);
    let shown = if top == 0 { document.sites.len() } else { top };
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    let mut rows = table(Layout::default(), &headings, 0);
    for site in document.sites.iter().take(shown) {
        rows.add_row(columns.iter().map(|(_, cell)| cell(site)));
    }
    arrange(&mut rows);
    print(&mut *out, &rows)?;
    if document.sites.len() > shown {
        writeln!(
            out,
            "… and {} more; '--top 0' shows all",
            document.sites.len() - shown
        )?;
    }
    if !document.not_of_files.is_empty() {
        let names: Vec<String> = document
            .not_of_files
            .iter()
            .map(|site| format!("{} ({})", site.place(), site.other_hits))
            .collect();
        writeln!(
            out,
            "\ntouched the word only when it belonged to no file: {}",
            names.join(", ")
        )?;
    }
    for step in &document.steps {
        let ran = if step.ran { "ran" } else { "not run" };
        writeln!(
            out,
            "step {:<18} {ran:<7} {:>6} hits, {:>3} sites  {}",
            step.name, step.hits, step.sites, step.note
        )?;
    }
    if document
        .sites
        .iter()
        .any(|site| site.in_static_list == Some(false))
    {
        writeln!(out, "\nnot in the static list:")?;
        for site in document
            .sites
            .iter()
            .filter(|site| site.in_static_list == Some(false))
        {
            writeln!(out, "  {} {} {} hits", site.place(), site.kind, site.hits)?;
        }
    }
    for plain in tables(document) {
        writeln!(out, "\n{}", plain.title)?;
        let mut rows = table(Layout::default(), &plain.columns, 0);
        for row in plain.rows {
            rows.add_row(row);
        }
        arrange(&mut rows);
        print(&mut *out, &rows)?;
    }
    for note in notes(document) {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}

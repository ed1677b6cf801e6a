//! The document as one HTML page that needs nothing else; its tables sort.

use std::io::{self, Write};

use askama::Template;

use super::{COLUMNS, header, notes, tables};
use crate::{
    derefs::document::{Document, percent},
    report::html::tables::{Cell, Table, number, table, text},
};

#[derive(Template)]
#[template(path = "derefs.html")]
struct Page<'a> {
    document: &'a Document,
    header: Vec<String>,
    tables: Vec<Table>,
    notes: Vec<String>,
}

/// Writes the page.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_html(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let page = Page {
        document,
        header: header(document),
        tables: all(document),
        notes: notes(document),
    };
    let page = page.render().map_err(io::Error::other)?;
    out.write_all(page.as_bytes())
}

/// A cell that sorts by a share, in hundredths of a percent.
fn share(part: u64, whole: u64) -> Cell {
    Cell {
        words: format!("{:.0} %", percent(part, whole)),
        sort: Some(part.saturating_mul(10_000) / whole.max(1)),
    }
}

fn all(document: &Document) -> Vec<Table> {
    let headings = COLUMNS.map(|(heading, _)| match heading {
        "hits" => "#hits",
        "shareable" => "#shareable",
        other => other,
    });
    let sites = document.sites.iter().map(|site| {
        COLUMNS
            .iter()
            .map(|(heading, cell)| match *heading {
                "hits" => number(site.hits),
                "shareable" => share(site.shareable_hits, site.hits),
                _ => text(cell(site)),
            })
            .collect()
    });
    let steps = document.steps.iter().map(|step| {
        vec![
            text(&*step.name),
            text(if step.ran { "yes" } else { "no" }),
            number(step.hits),
            number(step.sites),
            text(&*step.note),
        ]
    });
    let not_reached = document.explained.iter().flat_map(|explained| {
        explained
            .not_reached
            .iter()
            .map(|site| [&site.place, &site.subsystem, &site.kind, &site.class])
            .map(|words| words.map(|words| text(&**words)).into())
    });
    let mut found = vec![table("Sites that were hit", &headings, sites)];
    found.extend(tables(document).into_iter().map(|plain| {
        let rows = plain.rows.into_iter();
        let rows = rows.map(|row| row.into_iter().map(text).collect());
        table(plain.title, &plain.columns, rows)
    }));
    found.push(table(
        "Workload",
        &["step", "ran", "#hits", "#sites", "what it does"],
        steps,
    ));
    found.push(table(
        "Static sites that were not reached: never to be read as safe",
        &["site", "subsystem", "kind", "class"],
        not_reached,
    ));
    found.into_iter().flatten().collect()
}

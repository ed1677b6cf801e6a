//! A document as text, CSV or Markdown; JSON is its own serialisation.

use std::io::{self, Write};

use super::document::{Document, SiteRow};
use crate::report::csv;

/// A column: heading, and the cell of a site.
type Column = (&'static str, fn(&SiteRow) -> String);

/// The columns that people read.
const COLUMNS: [Column; 8] = [
    ("site", SiteRow::place),
    ("subsystem", |site| site.subsystem.clone()),
    ("kind", |site| site.kind.clone()),
    ("hits", |site| site.hits.to_string()),
    ("shareable", |site| {
        format!("{:.0} %", site.shareable_percent())
    }),
    ("class", |site| site.class.clone()),
    ("decided by", |site| {
        site.context.clone().unwrap_or_default()
    }),
    ("per second", |site| match site.rate {
        Some(rate) => format!(
            "{:.3} ({:.3} to {:.3})",
            rate.per_second, rate.low, rate.high
        ),
        None => String::new(),
    }),
];

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

/// Columns with something in them.
fn used(document: &Document) -> Vec<Column> {
    COLUMNS
        .into_iter()
        .filter(|(_, cell)| document.sites.iter().any(|site| !cell(site).is_empty()))
        .collect()
}

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

/// What was measured, on what, as lines.
fn header(document: &Document) -> Vec<String> {
    let Document {
        host, measurement, ..
    } = document;
    let seconds = |ns: u64| std::time::Duration::from_nanos(ns).as_secs_f64();
    vec![
        format!(
            "kernel {} ({}, {} CPUs, {})",
            host.kernel,
            host.arch,
            host.cpus,
            host.btf_id.as_deref().unwrap_or("no BTF id")
        ),
        format!(
            "watched {:.2} s of {:.2} s, {} folios at a time on {} CPUs, {} windows; moving \
             breakpoints {:.2} s, looking at the page cache {:.2} s, paused {:.2} s",
            seconds(measurement.watched_ns),
            seconds(measurement.duration_ns),
            measurement.slots,
            measurement.cpus,
            measurement.windows,
            seconds(measurement.arming_ns),
            seconds(measurement.census_ns),
            seconds(measurement.paused_ns),
        ),
        format!(
            "{} accesses noticed, {} without a record, {} of our own left out, {} at instructions \
             that could not be told",
            measurement.hits, measurement.lost, measurement.own_reads, measurement.undecoded
        ),
    ]
}

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
    let rows: Vec<Vec<String>> = std::iter::once(
        columns
            .iter()
            .map(|(heading, _)| (*heading).to_owned())
            .collect(),
    )
    .chain(
        document
            .sites
            .iter()
            .take(shown)
            .map(|site| columns.iter().map(|(_, cell)| cell(site)).collect()),
    )
    .collect();
    write_aligned(&rows, out)?;
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
    for note in &document.notes {
        writeln!(out, "note: {note}")?;
    }
    for rule in &document.overrides {
        writeln!(
            out,
            "override: arguments of '{}' do not count: {}",
            rule.function, rule.reason
        )?;
    }
    Ok(())
}

fn write_aligned(rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

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
        writeln!(out, "- {}", escaped(sentence))?;
    }
    writeln!(out, "\n## Sites that were hit\n")?;
    let columns = used(document);
    let heading: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    write_row(out, heading.iter().map(|cell| (*cell).to_owned()))?;
    write_row(out, columns.iter().map(|_| "---".to_owned()))?;
    for site in &document.sites {
        write_row(out, columns.iter().map(|(_, cell)| escaped(&cell(site))))?;
    }
    if !document.steps.is_empty() {
        writeln!(out, "\n## Workload\n")?;
        write_row(
            out,
            ["step", "ran", "hits", "sites", ""]
                .map(str::to_owned)
                .into_iter(),
        )?;
        write_row(out, ["---"; 5].map(str::to_owned).into_iter())?;
        for step in &document.steps {
            let ran = if step.ran { "yes" } else { "no" }.to_owned();
            write_row(
                out,
                [
                    step.name.clone(),
                    ran,
                    step.hits.to_string(),
                    step.sites.to_string(),
                    escaped(&step.note),
                ]
                .into_iter(),
            )?;
        }
    }
    if let Some(explained) = &document.explained {
        writeln!(
            out,
            "\n## Static sites that were not reached\n\nNot reached by this workload. That does not \
             make them safe.\n"
        )?;
        write_row(
            out,
            ["site", "subsystem", "kind", "class"]
                .map(str::to_owned)
                .into_iter(),
        )?;
        write_row(out, ["---"; 4].map(str::to_owned).into_iter())?;
        for site in &explained.not_reached {
            write_row(
                out,
                [&site.place, &site.subsystem, &site.kind, &site.class]
                    .map(|cell| escaped(cell))
                    .into_iter(),
            )?;
        }
    }
    writeln!(out, "\n## How to read this\n")?;
    for note in &document.notes {
        writeln!(out, "- {}", escaped(note))?;
    }
    for rule in &document.overrides {
        writeln!(
            out,
            "- override: arguments of `{}` do not count as context: {}",
            rule.function,
            escaped(&rule.reason)
        )?;
    }
    if !document.not_of_files.is_empty() {
        writeln!(
            out,
            "\nTouched the watched words only when they belonged to no file:\n"
        )?;
        for site in &document.not_of_files {
            writeln!(
                out,
                "- {} ({} times)",
                escaped(&site.place()),
                site.other_hits
            )?;
        }
    }
    Ok(())
}

fn write_row(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let cells: Vec<String> = cells.collect();
    writeln!(out, "| {} |", cells.join(" | "))
}

/// Characters that Markdown would take for markup.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('_', "\\_")
        .replace('<', "&lt;")
        .replace('*', "\\*")
}

/// Folded stacks, outermost first, as flame graph programs read them.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_folded(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    for site in &document.sites {
        let frames: Vec<&str> = site.stack.iter().rev().map(String::as_str).collect();
        writeln!(out, "{};{} {}", frames.join(";"), site.place(), site.hits)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{sample, summary};
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("memory can be written");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn the_text_says_what_was_not_reached_and_shows_as_many_rows_as_asked() {
        let mut document = sample::document();
        document.summary = summary::sentences(&document);
        let shown = text(|out| write_text(&document, 2, out));
        assert!(shown.contains("next_uptodate_folio+0x10"), "{shown}");
        assert!(shown.contains("… and 2 more"), "{shown}");
        assert!(!shown.contains("per second"), "an empty column: {shown}");
        assert!(text(|out| write_text(&document, 0, out)).contains("ext4_release_folio"));
    }

    #[test]
    fn csv_and_markdown_have_one_row_per_site() {
        let document = sample::document();
        let csv = text(|out| write_csv(&document, out));
        assert_eq!(csv.lines().count(), 5, "{csv}");
        let page = text(|out| write_markdown(&document, out));
        assert!(page.contains("| next\\_uptodate\\_folio+0x10 |"), "{page}");
        assert!(page.contains("memory\\_failure+0x20"), "{page}");
        let folded = text(|out| write_folded(&document, out));
        assert!(
            folded.contains("filemap_read;next_uptodate_folio;next_uptodate_folio+0x10 10"),
            "{folded}"
        );
    }

    #[test]
    fn json_comes_back_the_same() {
        let document = sample::document();
        let json = serde_json::to_string(&document).expect("it serialises");
        let back: Document = serde_json::from_str(&json).expect("it parses");
        assert_eq!(back, document);
    }
}

//! A document as text, CSV, Markdown, HTML, folded stacks or a flame graph; JSON is its
//! own serialisation.

mod csv;
mod flame;
mod folded;
mod html;
mod markdown;
mod tables;
mod text;

pub use self::{
    csv::write_csv, flame::write_flame, folded::write_folded, html::write_html,
    markdown::write_markdown, text::write_text,
};

use self::tables::tables;
use super::{
    document::{Document, SiteRow},
    glisse,
};

/// A column: heading, and the cell of a site.
type Column = (&'static str, fn(&SiteRow) -> String);

/// The columns that people read.
const COLUMNS: [Column; 9] = [
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
    ("source", |site| site.source.join(" in ")),
    ("per second", |site| match site.rate {
        Some(rate) => format!(
            "{:.3} ({:.3} to {:.3})",
            rate.per_second, rate.low, rate.high
        ),
        None => String::new(),
    }),
];

/// Columns with something in them.
fn used(document: &Document) -> Vec<Column> {
    COLUMNS
        .into_iter()
        .filter(|(_, cell)| document.sites.iter().any(|site| !cell(site).is_empty()))
        .collect()
}

/// How to read it: notes, sources, rules.
fn notes(document: &Document) -> Vec<String> {
    let rules = document.overrides.iter().map(|rule| {
        format!(
            "override: arguments of '{}' do not count as context: {}",
            rule.function, rule.reason
        )
    });
    let notes = document.notes.iter().cloned();
    notes
        .chain([format!("the classes of 2018: {}", glisse::SOURCES)])
        .chain(rules)
        .collect()
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

#[cfg(any(test, fuzzing))]
/// Writes every format, nowhere.
pub(super) fn everything(document: &Document) {
    // Writing nowhere cannot fail; what is looked for is a crash.
    let _ = write_text(document, 0, &mut std::io::sink());
    let _ = write_csv(document, &mut std::io::sink());
    let _ = write_markdown(document, &mut std::io::sink());
    let _ = write_folded(document, &mut std::io::sink());
}

#[cfg(test)]
mod tests {
    use std::io;

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
    fn html_has_every_table_sorts_numbers_and_fetches_nothing() {
        let mut document = sample::document();
        document.sites[0].context = Some("<script>alert(1)".to_owned());
        document.sites[0].callers = [("shrink_folio_list".to_owned(), 7)].into();
        let page = text(|out| write_html(&document, out));
        for words in [
            "next_uptodate_folio+0x10",
            "data-value=\"5000\"",
            "memory_failure+0x20",
            "CONFIG_KSM",
            "shrink_folio_list",
            "7 (87.50 %)",
        ] {
            assert!(page.contains(words), "'{words}' in {page}");
        }
        assert_eq!(page.matches("<script>").count(), 1, "a name became markup");
        for way in [" src=", " href=", "url(", "@import", "fetch("] {
            assert!(!page.contains(way), "'{way}' is in the page");
        }
    }

    #[test]
    fn the_flame_graph_draws_every_stack_and_refuses_to_draw_none() {
        let mut document = sample::document();
        let picture = text(|out| write_flame(&document, out));
        assert!(picture.contains("<svg") && picture.contains("filemap_read"));
        assert!(
            picture.contains("ext4_release_folio+0x10 (10 hits"),
            "{picture}"
        );
        document.sites.clear();
        let error = write_flame(&document, &mut Vec::new()).expect_err("nothing to draw");
        assert!(error.to_string().contains("nothing was hit"));
    }

    #[test]
    fn json_comes_back_the_same() {
        let document = sample::document();
        let json = serde_json::to_string(&document).expect("it serialises");
        let back: Document = serde_json::from_str(&json).expect("it parses");
        assert_eq!(back, document);
    }
}

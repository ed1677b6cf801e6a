//! The report as one HTML file that needs nothing else: pictures, and tables that sort.
//! Every name is escaped; the page allows itself no request (Content-Security-Policy), but
//! for the live page of `serve`, which asks its own address for newer numbers.

mod charts;
mod parts;
mod shares;
pub(crate) mod tables;
mod timeline;
mod treemap;

use std::io::{self, Write};

use askama::Template;

use self::tables::{Heat, Table};
use super::{
    Report, avoidable,
    text::{coverage_line, percent},
};
use crate::model::units::Bytes;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    duplicate: Bytes,
    hashed: Bytes,
    percent: String,
    coverage: String,
    avoidable: Vec<(&'static str, String)>,
    mechanisms_svg: String,
    treemap_svg: String,
    timeline_svg: String,
    heat: Heat,
    tables: Vec<Table>,
    live: Option<Live<'a>>,
}

/// What a page that renews itself says.
struct Live<'a> {
    true_at: &'a str,
    every: u64,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    why: &'a str,
    every: u64,
}

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(report: &Report, out: impl Write) -> io::Result<()> {
    write_page(report, None, out)
}

/// Writes a page that asks every `every` seconds for a newer one; the numbers of this one
/// were true at `true_at`.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_live(report: &Report, true_at: &str, every: u64, out: impl Write) -> io::Result<()> {
    write_page(report, Some(Live { true_at, every }), out)
}

/// Writes a page that says why there are no numbers, and asks again.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_notice(why: &str, every: u64, mut out: impl Write) -> io::Result<()> {
    let text = Notice { why, every }.render().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

fn write_page(report: &Report, live: Option<Live<'_>>, mut out: impl Write) -> io::Result<()> {
    let totals = &report.totals;
    let hashed = totals.distinct_bytes.saturating_add(totals.duplicate_bytes);
    let page = Page {
        report,
        duplicate: Bytes(totals.duplicate_bytes),
        hashed: Bytes(hashed),
        percent: percent(totals.duplicate_bytes, hashed),
        coverage: coverage_line(&report.coverage),
        avoidable: report
            .avoidable
            .as_ref()
            .map_or_else(Vec::new, |info| avoidable::lines(info).into()),
        mechanisms_svg: charts::mechanisms(&report.mechanisms)?,
        treemap_svg: shares::picture(report)?,
        timeline_svg: timeline::picture(&report.timeline)?,
        heat: Heat::of(&report.layer_pairs),
        tables: tables::all(report),
        live,
    };
    let text = page.render().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{document::LayerPair, sample};

    fn written(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).expect("memory takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn names_are_escaped_and_nothing_is_fetched() {
        let mut report = sample::report();
        let evil = "/<script>alert(1)</script>&\"'";
        report.files[0].path = evil.to_owned();
        report.mechanisms[0].name = evil.to_owned();
        report.layer_pairs = vec![LayerPair {
            layers: [evil.to_owned(), "b".to_owned()],
            images: Vec::new(),
            duplicate_bytes: 4096,
        }];
        let text = written(&report);
        assert!(!text.contains("<script>alert"), "a name became markup");
        assert_eq!(text.matches("<script>").count(), 1);
        for way in [" src=", " href=", "url(", "@import", "fetch("] {
            assert!(!text.contains(way), "'{way}' is in the page");
        }
    }

    #[test]
    fn every_list_is_a_table_with_its_numbers() {
        let text = written(&sample::report());
        for (path, bytes) in [
            ("/srv/a/libpython3.so", 12288),
            ("/srv/b/libpython3.so", 8192),
        ] {
            assert!(text.contains(&format!("<td>{path}")), "{path}");
            assert!(text.contains(&format!("data-value=\"{bytes}\"")), "{bytes}");
        }
        assert_eq!(text.matches("<svg").count(), 2);
        assert!(text.contains("Coverage partial: 10 pages seen"), "{text}");
    }
}

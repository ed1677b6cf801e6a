//! A plan as one HTML file that needs nothing else: the picture and the tables. Every name
//! is escaped; the page allows itself no request (Content-Security-Policy).

use std::io::{self, Write};

use askama::Template;

use super::words;
use crate::plan::{document::Plan, picture};

#[derive(Template)]
#[template(path = "plan.html")]
struct Page<'a> {
    plan: &'a Plan,
    title: String,
    percentile: String,
    picture: String,
    tables: Vec<Table>,
    lists: Vec<(&'static str, Vec<String>)>,
}

struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Writes a plan.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(plan: &Plan, mut out: impl Write) -> io::Result<()> {
    let percentile = words::percentile(plan.planned_percentile);
    let planned = plan.planned().map(|planned| &planned.mechanisms);
    let rows = planned.into_iter().flatten();
    let mut assumptions = vec!["assumption".to_owned()];
    assumptions.extend(words::mechanisms(plan));
    let ranges = words::ranges(plan).into_iter();
    let tables = vec![
        Table {
            title: "How many containers fit one host".to_owned(),
            columns: words::columns(plan),
            rows: rows.map(|row| words::cells(plan, row)).collect(),
        },
        Table {
            title: format!("Containers per host when one assumption is wrong ({percentile})"),
            columns: assumptions,
            rows: ranges
                .map(|(words, ranges)| [words].into_iter().chain(ranges).collect())
                .collect(),
        },
    ];
    let inputs = plan.inputs.iter().map(words::input).collect();
    let mut lists = vec![
        ("Measured", inputs),
        ("Assumptions", plan.assumptions.clone()),
        ("Notes", plan.notes.clone()),
    ];
    lists.retain(|(_, lines)| !lines.is_empty());
    let page = Page {
        plan,
        title: words::title(plan),
        percentile,
        picture: picture::svg(plan, false)?,
        tables,
        lists,
    };
    let text = page.render().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::write::sample;

    #[test]
    fn names_are_escaped_and_nothing_is_fetched() {
        let mut plan = sample::plan();
        let evil = "<script>alert(1)</script>&\"'";
        plan.images[0].name = evil.to_owned();
        plan.forecasts[0].mechanisms[0].name = evil.to_owned();
        plan.forecasts[1].mechanisms[0].name = evil.to_owned();
        plan.notes.push(evil.to_owned());
        let mut out = Vec::new();
        write(&plan, &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        assert!(!text.contains("<script"), "a name became markup");
        for way in [" src=", " href=", "url(", "@import", "fetch("] {
            assert!(!text.contains(way), "'{way}' is in the page");
        }
        assert_eq!(text.matches("<svg").count(), 1);
    }
}

//! A frame as plain text, for `top --once`, `-b` and pipes: sums first, then the files.

use std::{fmt::Write, time::Duration};

use super::{
    columns::{Column, Table},
    frame::{Census, Frame},
    list::List,
    pages::{Page, Rows},
    text::{clean, keep_ends, pad_left, pad_right, width},
    units::{Units, count, percent, rate, ratio, span},
};
use crate::{
    model::units::Bytes,
    query::{QueryError, Value},
};

/// What to print.
#[derive(Clone, Debug)]
pub struct BatchOptions {
    /// The column to sort by.
    pub sort: Column,
    /// Whether to turn its usual order (largest first, texts from A) round.
    pub invert: bool,
    /// Rows that match this query only; empty for all.
    pub filter: String,
    /// At most so many rows; 0 for all.
    pub rows: usize,
    /// How bytes are shown.
    pub units: Units,
    /// Cut lines to so many columns.
    pub width: Option<usize>,
    /// Whether to print the sums.
    pub summary: bool,
    /// Whether to print the columns' names.
    pub headers: bool,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            sort: Table::Files.default_sort(),
            invert: false,
            filter: String::new(),
            rows: 20,
            units: Units::Binary,
            width: None,
            summary: true,
            headers: true,
        }
    }
}

/// The frame as text, each line ended.
///
/// # Errors
/// When the filter is no query.
pub fn render(frame: &Frame, options: &BatchOptions) -> Result<String, QueryError> {
    let mut list = List::new(Table::Files);
    list.set_filter(&options.filter)?;
    if options.sort != list.sort() {
        list.sort_by(options.sort);
    }
    if options.invert {
        list.invert();
    }
    let mut text = String::new();
    if options.summary {
        for line in summary(frame, options.units) {
            let line = options
                .width
                .map_or(line.clone(), |room| cut_line(&line, room));
            push(&mut text, &line);
        }
        text.push('\n');
    }
    files(frame, options, &mut list, &mut text);
    Ok(text)
}

/// Lines are cut at their end, without a mark that a script would have to know.
fn cut_line(line: &str, room: usize) -> String {
    super::text::keep_start(line, room, "")
}

fn push(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// The sums, each line with its name first.
fn summary(frame: &Frame, units: Units) -> Vec<String> {
    let totals = &frame.totals;
    let size = |pages: u64| units.show(Bytes::of_pages(pages).0);
    let share = |pages: u64| percent(ratio(pages, totals.resident));
    let census = match frame.census {
        Census::Done => "done".to_owned(),
        Census::Running { percent } => format!("{percent} %, sums still grow"),
    };
    let known = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), rate);
    let savings = frame.mechanisms.iter();
    let savings = savings.map(|row| {
        format!(
            "{} {} ({})",
            row.name,
            units.show(row.saving.0),
            row.confidence
        )
    });
    let savings = savings.collect::<Vec<_>>().join(", ");
    let behind = match frame.lists.behind_ms {
        0..1_000 => String::new(),
        behind => format!(
            "; this and the lists as of {} before the sums",
            span(Duration::from_millis(behind))
        ),
    };
    vec![
        format!(
            "sharestat: {} at {:.0}, engine {}, census {census}, {} events lost",
            clean(&frame.host, false),
            frame.taken_at,
            frame.engine,
            count(frame.events_lost)
        ),
        format!(
            "page cache: {} resident, {} hashed ({}), {} not hashed, {} files",
            size(totals.resident),
            size(totals.hashed),
            share(totals.hashed),
            size(totals.skipped_pages()),
            count(totals.inodes)
        ),
        format!(
            "contents: {} distinct, {} duplicate ({}), {} zero",
            size(totals.distinct),
            size(totals.duplicate),
            share(totals.duplicate),
            size(totals.zero_copies)
        ),
        format!(
            "would save: {}{behind}",
            if savings.is_empty() {
                "not computed yet"
            } else {
                &savings
            }
        ),
        format!(
            "pages: adds {}, reclaims {}, truncates {}, dirtied {}",
            rate(frame.rates.adds),
            known(frame.rates.reclaims),
            known(frame.rates.truncates),
            rate(frame.rates.dirtied)
        ),
    ]
}

fn files(frame: &Frame, options: &BatchOptions, list: &mut List, text: &mut String) {
    let rows = Rows::Files(&frame.files);
    let order = list.order(&Page::Files(None), rows, frame.sequence, false);
    let most = if options.rows == 0 {
        order.len()
    } else {
        options.rows
    };
    // How much of a file is hashed is left to the reports, which have it in full.
    let columns: Vec<Column> = list
        .table()
        .columns()
        .iter()
        .copied()
        .filter(|column| *column != Column::Hashed)
        .collect();
    let resident = Bytes::of_pages(frame.totals.resident).0;
    let size = options.units.columns(resident).max(10);
    let wide = |column: Column| if column.is_text() { 8 } else { size };
    let place = |column: Column, value: &str| {
        if column.is_text() {
            pad_right(value, wide(column))
        } else {
            pad_left(value, wide(column))
        }
    };
    if options.headers {
        let cells: Vec<_> = columns
            .iter()
            .map(|column| place(*column, column.spec().header))
            .collect();
        push(text, &cells.join(" "));
    }
    for position in order.iter().take(most) {
        let row = rows.row(*position as usize);
        let mut line = String::new();
        for (number, column) in columns.iter().enumerate() {
            if number > 0 {
                line.push(' ');
            }
            let value = match row.value(*column) {
                Value::Text(text) => clean(text, false),
                Value::Bytes(bytes) => options.units.show(bytes),
                Value::Missing => "-".to_owned(),
            };
            let at_end = number + 1 == columns.len();
            match options.width {
                Some(room) if at_end => {
                    let rest = room.saturating_sub(width(&line));
                    line.push_str(&keep_ends(&value, rest, "…"));
                }
                _ if at_end => line.push_str(&value),
                _ => {
                    // Writing to a String cannot fail.
                    let _ = write!(line, "{}", place(*column, &value));
                }
            }
        }
        push(text, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn a_frame_is_a_table() {
        let options = BatchOptions {
            rows: 5,
            ..BatchOptions::default()
        };
        insta::assert_snapshot!(render(&fixture::frame(), &options).expect("no filter"));
    }

    #[test]
    fn lines_keep_to_the_width_and_rows_to_the_filter() {
        let filter = "dup>1MiB fs=xfs".to_owned();
        let options = BatchOptions {
            width: Some(70),
            filter,
            rows: 0,
            ..BatchOptions::default()
        };
        let frame = fixture::frame();
        let text = render(&frame, &options).expect("a filter");
        assert!(text.lines().all(|line| width(line) <= 70));
        let wanted =
            |file: &&super::super::frame::FileRow| file.duplicate.0 > 1 << 20 && &*file.fs == "xfs";
        let expected = frame.files.iter().filter(wanted).count();
        // Five sums, a blank, the header.
        assert_eq!(text.lines().count(), 7 + expected);
        let wrong = BatchOptions {
            filter: "dup>".to_owned(),
            ..BatchOptions::default()
        };
        assert!(render(&frame, &wrong).is_err());
    }

    #[test]
    fn a_pipe_gets_rows_only_when_asked() {
        let options = BatchOptions {
            summary: false,
            headers: false,
            rows: 1,
            units: Units::Raw,
            ..BatchOptions::default()
        };
        let text = render(&fixture::frame(), &options).expect("no filter");
        assert_eq!(text.lines().count(), 1);
    }
}

//! The report for people: totals and coverage first, then savings, then the files. It
//! keeps to the width it is given; bold headings are the only styling.

mod owned;

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

use super::{
    Report, avoidable,
    document::{Coverage, FileEntry, TotalBytes},
};
use crate::model::units::Bytes;

/// Narrower terminals get lines of this width.
const MIN_WIDTH: u16 = 20;

/// How to write for a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Columns of the terminal; `None` when there is no limit.
    pub width: Option<u16>,
    /// Whether headings may be bold.
    pub styled: bool,
}

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(report: &Report, layout: Layout, mut out: impl Write) -> io::Result<()> {
    print(&mut out, &summary(report, layout))?;
    if !report.timeline.is_empty() {
        heading(&mut out, layout, "Over time")?;
        print(&mut out, &owned::timeline(&report.timeline, layout))?;
    }
    heading(&mut out, layout, "Duplicates by scope")?;
    print(&mut out, &scopes(report, layout))?;
    heading(&mut out, layout, "Savings, overlapping")?;
    print(&mut out, &mechanisms(report, layout))?;
    if !report.advice.is_empty() {
        heading(&mut out, layout, "What to do")?;
        print(&mut out, &owned::advice(report, layout))?;
    }
    for (title, groups) in [
        ("Layers", &report.layers),
        ("Images", &report.images),
        ("Containers", &report.containers),
        ("Memory cgroups", &report.memcgs),
    ] {
        if !groups.is_empty() {
            heading(&mut out, layout, title)?;
            owned::write_groups(&mut out, groups, layout)?;
        }
    }
    if !report.copy_ups.is_empty() {
        heading(&mut out, layout, "Copied up")?;
        print(&mut out, &owned::copy_ups(report, layout))?;
    }
    heading(&mut out, layout, "Filesystems")?;
    print(&mut out, &filesystems(report, layout))?;
    heading(&mut out, layout, "Top duplicate files")?;
    if report.files.iter().all(|file| file.duplicate_bytes == 0) {
        return writeln!(out, "none");
    }
    print(&mut out, &files(report, layout))
}

pub(crate) fn print(mut out: impl Write, table: &Table) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

pub(crate) fn heading(mut out: impl Write, layout: Layout, words: &str) -> io::Result<()> {
    if layout.styled {
        writeln!(out, "\n\x1b[1m{words}\x1b[0m")
    } else {
        writeln!(out, "\n{words}")
    }
}

/// What was measured, the totals, and what they cover.
fn summary(report: &Report, layout: Layout) -> Table {
    let Report {
        tool,
        host,
        measurement,
        coverage,
        totals,
        ..
    } = report;
    let mut rows = vec![
        (
            "Measured",
            format!(
                "{} {} on {}, kernel {} ({}), engine {}, {}, took {}",
                tool.name,
                tool.version,
                host.name,
                host.kernel,
                host.arch,
                measurement.engine,
                measurement.started_at,
                seconds(measurement.duration_ns)
            ),
        ),
        (
            "Page cache",
            format!("{} resident", Bytes(totals.resident_bytes)),
        ),
        ("Duplicate", duplicate(totals)),
        ("Zero pages", Bytes(totals.zero_bytes).to_string()),
        (
            "Eligible",
            format!("{} could be shared", Bytes(totals.eligible_bytes)),
        ),
        ("Coverage", coverage_line(coverage)),
    ];
    let erofs = report.mechanisms.iter().find(|row| row.name == "erofs");
    let shared = erofs.map_or(0, |row| row.already_shared_bytes);
    if shared > 0 {
        let words = "more would be cached if EROFS did not keep equal files once";
        rows.push(("Already shared", format!("{} {words}", Bytes(shared))));
    }
    let identity = &report.identity;
    if identity.unresolved_bytes > 0 {
        let words = "of files whose layer cannot be told";
        rows.push((
            "Unresolved",
            format!("{} {words}", Bytes(identity.unresolved_bytes)),
        ));
    }
    if let Some(info) = &report.avoidable {
        rows.extend(avoidable::lines(info));
    }
    let notes = measurement.notes.iter().chain(&identity.warnings);
    rows.extend(notes.map(|note| ("Note", note.clone())));
    let mut table = table(layout, &[], 0);
    for (name, words) in rows {
        table.add_row([Cell::new(name), Cell::new(shown(&words))]);
    }
    arrange(&mut table);
    table
}

fn duplicate(totals: &TotalBytes) -> String {
    let hashed = totals.distinct_bytes + totals.duplicate_bytes;
    format!(
        "{}, {} of the {} hashed; {} distinct",
        Bytes(totals.duplicate_bytes),
        percent(totals.duplicate_bytes, hashed),
        Bytes(hashed),
        Bytes(totals.distinct_bytes)
    )
}

/// How much of the page cache the numbers cover, in one sentence.
#[must_use]
pub fn coverage_line(coverage: &Coverage) -> String {
    let skipped = &coverage.skipped;
    let reasons = [
        ("dirty", skipped.dirty),
        ("under writeback", skipped.writeback),
        ("not uptodate", skipped.not_uptodate),
        ("raced", skipped.raced),
        ("unreadable", skipped.unreadable),
        ("not reached", skipped.budget),
    ];
    let named: Vec<String> = reasons
        .iter()
        .filter(|(_, pages)| *pages > 0)
        .map(|(reason, pages)| format!("{} {reason}", grouped(*pages)))
        .collect();
    let pages: u64 = reasons.iter().map(|(_, pages)| pages).sum();
    let why = if named.is_empty() {
        String::new()
    } else {
        format!(" ({})", named.join(", "))
    };
    format!(
        "{}: {} pages seen, {} hashed, {} skipped{why}, {} events lost",
        if coverage.complete {
            "complete"
        } else {
            "partial"
        },
        grouped(coverage.resident_pages),
        grouped(coverage.hashed_pages),
        grouped(pages),
        grouped(coverage.events_lost)
    )
}

fn scopes(report: &Report, layout: Layout) -> Table {
    let mut table = table(layout, &["duplicate", "part", "scope"], 2);
    for scope in report
        .scopes
        .iter()
        .filter(|scope| shows(&scope.name, scope.duplicate_bytes))
    {
        table.add_row([
            number(&Bytes(scope.duplicate_bytes).to_string()),
            number(&percent(
                scope.duplicate_bytes,
                report.totals.duplicate_bytes,
            )),
            Cell::new(&scope.name),
        ]);
    }
    arrange(&mut table);
    table
}

fn mechanisms(report: &Report, layout: Layout) -> Table {
    let mut table = table(layout, &["saving", "groups", "mechanism"], 2);
    for mechanism in report
        .mechanisms
        .iter()
        .filter(|mechanism| shows(&mechanism.name, mechanism.saving_bytes))
    {
        table.add_row([
            number(&Bytes(mechanism.saving_bytes).to_string()),
            number(&grouped(mechanism.groups)),
            Cell::new(format!("{} ({})", mechanism.name, mechanism.sureness())),
        ]);
    }
    arrange(&mut table);
    table
}

/// What is nothing is left out, except what every host has.
fn shows(name: &str, bytes: u64) -> bool {
    bytes > 0 || matches!(name, "zero" | "self" | "host" | "content" | "offset")
}

/// One row of a list: four quantities, and whose they are.
struct Holding {
    resident: Bytes,
    duplicate: Bytes,
    exclusive: Bytes,
    saving: f64,
    whose: String,
}

fn filesystems(report: &Report, layout: Layout) -> Table {
    let rows = report.filesystems.iter().map(|filesystem| Holding {
        resident: Bytes(filesystem.resident_bytes),
        duplicate: Bytes(filesystem.duplicate_bytes),
        exclusive: Bytes(filesystem.exclusive_bytes),
        saving: filesystem.saving_share_bytes,
        whose: format!(
            "{} ({})",
            shown(&filesystem.name),
            shown(&filesystem.fs_type)
        ),
    });
    holdings(layout, rows, "filesystem")
}

fn files(report: &Report, layout: Layout) -> Table {
    let duplicated = report.files.iter().filter(|file| file.duplicate_bytes > 0);
    let rows = duplicated.map(|file| Holding {
        resident: Bytes(file.resident_bytes),
        duplicate: Bytes(file.duplicate_bytes),
        exclusive: Bytes(file.exclusive_bytes),
        saving: file.saving_share_bytes,
        whose: with_partners(file),
    });
    holdings(layout, rows, "file, and what it shares with others")
}

fn with_partners(file: &FileEntry) -> String {
    let mut whose = shown(&file.shown_path());
    if let Some(layer) = &file.layer {
        whose.extend(["\n  in layer ", &shown(layer)]);
    }
    for partner in &file.partners {
        let shared = Bytes(partner.shared_bytes).to_string();
        whose.extend(["\n  ", &shared, " with ", &shown(&partner.path)]);
    }
    whose
}

/// A list with as many of the quantities as there is room for beside a path.
fn holdings(layout: Layout, rows: impl Iterator<Item = Holding>, heading: &str) -> Table {
    type Quantity = (&'static str, fn(&Holding) -> Bytes);
    const DUPLICATE: Quantity = ("duplicate", |row| row.duplicate);
    const SAVING: Quantity = ("saving", |row| whole(row.saving));
    const EXCLUSIVE: Quantity = ("exclusive", |row| row.exclusive);
    const RESIDENT: Quantity = ("resident", |row| row.resident);
    let quantities: &[Quantity] = match layout.width {
        Some(..48) => &[DUPLICATE],
        Some(48..72) => &[DUPLICATE, SAVING],
        Some(72..96) => &[DUPLICATE, SAVING, EXCLUSIVE],
        Some(96..) | None => &[DUPLICATE, SAVING, EXCLUSIVE, RESIDENT],
    };
    let mut headings: Vec<&str> = quantities.iter().map(|(heading, _)| *heading).collect();
    headings.push(heading);
    let mut table = table(layout, &headings, quantities.len());
    for row in rows {
        let numbers = quantities
            .iter()
            .map(|(_, of)| number(&of(&row).to_string()));
        table.add_row(numbers.chain([Cell::new(&row.whose)]));
    }
    arrange(&mut table);
    table
}

/// A borderless table; the first `numbers` columns are aligned to the right.
pub(crate) fn table(layout: Layout, headings: &[&str], numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.force_no_tty();
    if let Some(width) = layout.width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width.max(MIN_WIDTH));
    }
    if !headings.is_empty() {
        table.set_header(headings.iter().enumerate().map(|(column, heading)| {
            if column < numbers {
                number(heading)
            } else {
                Cell::new(heading)
            }
        }));
    }
    table
}

/// Two blanks between columns; all but the last keep the width of their contents.
pub(crate) fn arrange(table: &mut Table) {
    let last = table.column_count().saturating_sub(1);
    for (position, column) in table.column_iter_mut().enumerate() {
        if position < last {
            column.set_padding((0, 2));
            column.set_constraint(ColumnConstraint::ContentWidth);
        } else {
            column.set_padding((0, 0));
        }
    }
}

pub(crate) fn number(words: &str) -> Cell {
    Cell::new(words).set_alignment(CellAlignment::Right)
}

/// Control characters escaped: a file name must not write to the terminal.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A part in per cent with one decimal.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let whole = u128::from(whole.max(1));
    let tenths = (u128::from(part) * 1000 + whole / 2) / whole;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn seconds(nanoseconds: u64) -> String {
    let hundredths = nanoseconds / 10_000_000;
    format!("{}.{:02} s", hundredths / 100, hundredths % 100)
}

/// A share rounded to whole bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is not negative and below the size of memory"
)]
fn whole(bytes: f64) -> Bytes {
    Bytes(bytes.round() as u64)
}

#[cfg(test)]
mod tests;

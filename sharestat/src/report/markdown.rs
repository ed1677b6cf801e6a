//! The report as Markdown, within the size that a step summary may have: the sums, the
//! savings, then the lists, cut where they would go beyond it.

use std::io::{self, Write};

use super::{
    Report, avoidable,
    document::{Group, TimelineEntry},
    text::{coverage_line, percent},
    timeline::{some, time},
};
use crate::model::units::Bytes;

/// What GitHub takes for the summary of one step, in bytes, less room for the last line.
const MOST_BYTES: usize = (1 << 20) - 4096;

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    summary(report, &mut text)?;
    out.write_all(&text)?;
    let mut left = MOST_BYTES.saturating_sub(text.len());
    if !report.timeline.is_empty() {
        let mut text = Vec::new();
        timeline(&report.timeline, &mut text)?;
        left = left.saturating_sub(text.len());
        out.write_all(&text)?;
    }
    if let Some(info) = &report.avoidable {
        let rows = info.images.iter().map(|image| {
            let numbers: Vec<_> = avoidable::numbers(image)
                .into_iter()
                .map(|bytes| Bytes(bytes).to_string())
                .collect();
            format!("| {} | {} |\n", cell(&image.name), numbers.join(" | "))
        });
        let mut columns = vec!["image"];
        columns.extend(avoidable::columns(info));
        list_of(&mut out, "Avoidable, by image", &columns, rows, &mut left)?;
    }
    let groups = [
        ("Images", &report.images),
        ("Layers", &report.layers),
        ("Containers", &report.containers),
        ("Memory cgroups", &report.memcgs),
    ];
    for (title, rows) in groups {
        let rows = rows.iter().map(group_line);
        list(&mut out, title, rows, &mut left)?;
    }
    let rows = report.filesystems.iter().map(|row| {
        let name = format!("{} ({})", row.name, row.fs_type);
        holding(
            &name,
            [row.duplicate_bytes, row.exclusive_bytes, row.resident_bytes],
        )
    });
    list(&mut out, "Filesystems", rows, &mut left)?;
    let files = report.files.iter().filter(|file| file.duplicate_bytes > 0);
    let rows = files.map(|row| {
        holding(
            &row.shown_path(),
            [row.duplicate_bytes, row.exclusive_bytes, row.resident_bytes],
        )
    });
    list(&mut out, "Files", rows, &mut left)
}

fn summary(report: &Report, mut out: impl Write) -> io::Result<()> {
    let totals = &report.totals;
    let hashed = totals.distinct_bytes.saturating_add(totals.duplicate_bytes);
    writeln!(
        out,
        "### {} of duplicate page cache\n\n{} of the {} hashed on {}, {}. Coverage {}.\n",
        Bytes(totals.duplicate_bytes),
        percent(totals.duplicate_bytes, hashed),
        Bytes(hashed),
        cell(&report.host.name),
        cell(&report.measurement.started_at),
        coverage_line(&report.coverage)
    )?;
    for note in &report.measurement.notes {
        writeln!(out, "- {}", cell(note))?;
    }
    if let Some(info) = &report.avoidable {
        for (what, of) in avoidable::lines(info) {
            writeln!(out, "- {what}: {of}")?;
        }
    }
    writeln!(out, "\n#### Duplicates by scope\n")?;
    row(&mut out, ["scope", "duplicate", "part"])?;
    row(&mut out, ["---", "--:", "--:"])?;
    for scope in &report.scopes {
        let bytes = Bytes(scope.duplicate_bytes).to_string();
        let part = percent(scope.duplicate_bytes, totals.duplicate_bytes);
        row(&mut out, [&cell(&scope.name), &bytes, &part])?;
    }
    writeln!(out, "\n#### Savings by mechanism (they overlap)\n")?;
    let columns = [
        "mechanism",
        "saving",
        "groups",
        "confidence",
        "out of its reach",
    ];
    row(&mut out, columns)?;
    row(&mut out, ["---", "--:", "--:", "---", "---"])?;
    for mechanism in &report.mechanisms {
        let bytes = Bytes(mechanism.saving_bytes).to_string();
        let groups = mechanism.groups.to_string();
        row(
            &mut out,
            [
                &cell(&mechanism.name),
                &bytes,
                &groups,
                &cell(&mechanism.sureness()),
                &cell(&mechanism.beyond()),
            ],
        )?;
    }
    if !report.advice.is_empty() {
        writeln!(out, "\n#### What to do\n")?;
    }
    for line in &report.advice {
        writeln!(out, "- **{}** {}", line.saving(), cell(&line.words()))?;
    }
    Ok(())
}

/// The sums of a recording over time, a few moments of it.
fn timeline(moments: &[TimelineEntry], mut out: impl Write) -> io::Result<()> {
    writeln!(out, "\n#### Over time\n")?;
    row(&mut out, ["time", "resident", "duplicate"])?;
    row(&mut out, ["--:", "--:", "--:"])?;
    for moment in some(moments) {
        row(
            &mut out,
            [
                &time(moment.elapsed_ms),
                &Bytes(moment.totals.resident_bytes).to_string(),
                &Bytes(moment.totals.duplicate_bytes).to_string(),
            ],
        )?;
    }
    Ok(())
}

fn group_line(group: &Group) -> String {
    holding(
        &group.name,
        [
            group.duplicate_bytes,
            group.exclusive_bytes,
            group.resident_bytes,
        ],
    )
}

fn holding(name: &str, bytes: [u64; 3]) -> String {
    let [duplicate, exclusive, resident] = bytes.map(|bytes| Bytes(bytes).to_string());
    format!(
        "| {} | {duplicate} | {exclusive} | {resident} |\n",
        cell(name)
    )
}

/// A list of what holds what.
fn list(
    out: impl Write,
    title: &str,
    rows: impl Iterator<Item = String>,
    left: &mut usize,
) -> io::Result<()> {
    let columns = ["name", "duplicate", "exclusive", "resident"];
    list_of(out, title, &columns, rows, left)
}

/// A list with as many rows as there is room for; all columns but the first hold numbers.
fn list_of(
    mut out: impl Write,
    title: &str,
    columns: &[&str],
    rows: impl Iterator<Item = String>,
    left: &mut usize,
) -> io::Result<()> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let head = format!(
        "\n#### {title}\n\n| {} |\n| ---{} |\n",
        columns.join(" | "),
        " | --:".repeat(columns.len() - 1)
    );
    *left = left.saturating_sub(head.len() + 64);
    out.write_all(head.as_bytes())?;
    while let Some(line) = rows.next_if(|line| line.len() <= *left) {
        *left -= line.len();
        out.write_all(line.as_bytes())?;
    }
    let cut = rows.count();
    if cut > 0 {
        writeln!(out, "\n{cut} more rows have no room here.")?;
    }
    Ok(())
}

/// One line of a table.
pub(crate) fn row(
    mut out: impl Write,
    cells: impl IntoIterator<Item = impl AsRef<str>>,
) -> io::Result<()> {
    for cell in cells {
        write!(out, "| {} ", cell.as_ref())?;
    }
    writeln!(out, "|")
}

/// Text as one cell: no sign of it ends the cell, breaks the line or makes markup.
pub(crate) fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => cell.push_str("&amp;"),
            '<' => cell.push_str("&lt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '#' | '@' => {
                cell.push('\\');
                cell.push(character);
            }
            _ if character.is_control() => {
                cell.extend(character.escape_default().filter(|sign| *sign != '\\'));
            }
            _ => cell.push(character),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn written(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).expect("memory takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn names_cannot_break_the_table() {
        let mut report = sample::report();
        report.files[0].path = "/a|b<script>\n`x`".to_owned();
        let text = written(&report);
        assert!(text.contains("| /a\\|b&lt;script>n\\`x\\` |"), "{text}");
    }

    #[test]
    fn any_number_of_files_fits_a_step_summary() {
        let mut report = sample::report();
        let file = report.files[0].clone();
        report.files = vec![file; 40_000];
        let text = written(&report);
        assert!(text.len() < 1 << 20, "{}", text.len());
        assert!(text.contains("more rows have no room"));
    }
}

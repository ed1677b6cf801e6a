//! A comparison, and the outcome of a check, as tables for people.

use std::io::{self, Write};

use comfy_table::Cell;

use super::words::{self, bytes, change, percent};
use crate::{
    compare::{
        change::Change,
        check::{Check, Verdict},
        diff::{Diff, GroupRow, Row},
        moved::FileRow,
    },
    model::units::Bytes,
    report::text::{Layout, arrange, heading, number, print, shown, table},
};

/// Writes a comparison; `top` limits each list, 0 lists all that changed.
///
/// # Errors
/// When `out` cannot be written.
pub fn diff(diff: &Diff, layout: Layout, top: usize, mut out: impl Write) -> io::Result<()> {
    let most = if top == 0 { usize::MAX } else { top };
    writeln!(
        out,
        "base  {}, {}, engine {}\nnew   {}, {}, engine {}",
        shown(&diff.base.started_at),
        shown(&diff.base.host),
        shown(&diff.base.engine),
        shown(&diff.new.started_at),
        shown(&diff.new.host),
        shown(&diff.new.engine)
    )?;
    for note in &diff.notes {
        writeln!(out, "note  {}", shown(note))?;
    }
    if let Some(contents) = &diff.contents {
        writeln!(out, "\n{}", words::contents(contents))?;
    }
    let plain = [
        ("Totals", &diff.totals),
        ("Duplicates by scope", &diff.scopes),
        ("Savings by mechanism", &diff.mechanisms),
    ];
    for (title, rows) in plain {
        heading(&mut out, layout, title)?;
        print(&mut out, &named(layout, rows))?;
    }
    let groups = [
        ("Filesystems", &diff.filesystems),
        ("Layers", &diff.layers),
        ("Images", &diff.images),
        ("Containers", &diff.containers),
        ("Memory cgroups", &diff.memcgs),
    ];
    for (title, rows) in groups {
        let moved = rows.iter().filter(|row| is_moved(row));
        let moved: Vec<&GroupRow> = moved.take(most).collect();
        if !moved.is_empty() {
            heading(
                &mut out,
                layout,
                &format!("{title}, by their part of the duplicates"),
            )?;
            print(&mut out, &grouped(layout, &moved))?;
        }
    }
    heading(
        &mut out,
        layout,
        "What moved: files, by their part of the duplicates",
    )?;
    if diff.files.is_empty() {
        return writeln!(out, "nothing");
    }
    print(&mut out, &files(layout, diff.files.iter().take(most)))?;
    let left = diff.files.len().saturating_sub(most);
    if left > 0 {
        writeln!(out, "and {left} more; '--top 0' lists them")?;
    }
    Ok(())
}

fn is_moved(row: &GroupRow) -> bool {
    row.saving_share.is_worth_a_line() || row.duplicate.is_worth_a_line()
}

fn cells(numbers: &Change) -> [Cell; 4] {
    [
        number(&bytes(numbers.base_bytes)),
        number(&bytes(numbers.new_bytes)),
        number(&change(numbers)),
        number(&percent(numbers)),
    ]
}

fn named(layout: Layout, rows: &[Row]) -> comfy_table::Table {
    let mut table = table(layout, &["base", "new", "change", "", "what"], 4);
    for row in rows {
        table.add_row(
            cells(&row.change)
                .into_iter()
                .chain([Cell::new(shown(&row.name))]),
        );
    }
    arrange(&mut table);
    table
}

fn grouped(layout: Layout, rows: &[&GroupRow]) -> comfy_table::Table {
    let mut table = table(layout, &["base", "new", "change", "", "name"], 4);
    for row in rows {
        let name = [Cell::new(shown(&row.name))];
        table.add_row(cells(&row.saving_share).into_iter().chain(name));
    }
    arrange(&mut table);
    table
}

fn files<'f>(layout: Layout, rows: impl Iterator<Item = &'f FileRow>) -> comfy_table::Table {
    let mut table = table(
        layout,
        &["base", "new", "change", "", "file, and with whom"],
        4,
    );
    for file in rows {
        let mut words = format!("{} ({})", shown(&file.row.name), file.became.words());
        if let Some(layer) = &file.layer {
            words.extend(["\n  in layer ", &shown(layer)]);
        }
        for partner in &file.partners {
            let shared = Bytes(partner.shared_bytes).to_string();
            words.extend(["\n  ", &shared, " with ", &shown(&partner.path)]);
            if let Some(layer) = &partner.layer {
                words.extend([" in layer ", &shown(layer)]);
            }
        }
        let numbers = cells(&file.row.saving_share);
        table.add_row(numbers.into_iter().chain([Cell::new(words)]));
    }
    arrange(&mut table);
    table
}

/// Writes the outcome of a check.
///
/// # Errors
/// When `out` cannot be written.
pub fn check(check: &Check, layout: Layout, mut out: impl Write) -> io::Result<()> {
    let mut table = table(layout, &["", "rule", "why"], 0);
    for result in &check.results {
        let rule = if result.rule == result.measure {
            shown(&result.rule)
        } else {
            format!("{} ({})", shown(&result.rule), shown(&result.measure))
        };
        let why = Cell::new(shown(&result.reason));
        table.add_row([Cell::new(result.verdict.word()), Cell::new(rule), why]);
    }
    arrange(&mut table);
    print(&mut out, &table)?;
    for note in &check.notes {
        writeln!(out, "note: {}", shown(note))?;
    }
    let count = |verdict| {
        check
            .results
            .iter()
            .filter(|result| result.verdict == verdict)
            .count()
    };
    writeln!(
        out,
        "{}: {} passed, {} failed, {} skipped",
        check.verdict.word(),
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::Skip)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::sample;

    #[test]
    fn a_comparison_shows_change_per_cent_and_who_moved() {
        let document = Diff::new(&sample::report(), &sample::grown(), &[]);
        let mut out = Vec::new();
        diff(&document, Layout::default(), 20, &mut out).expect("memory takes everything");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"));
    }

    #[test]
    fn a_check_shows_every_rule_and_the_sum() {
        let document = sample::checked(None);
        let mut out = Vec::new();
        check(&document, Layout::default(), &mut out).expect("memory takes everything");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"));
    }
}

//! A comparison, and the outcome of a check, as Markdown for a pull request or a step
//! summary: the sums, then what moved.

use std::io::{self, Write};

use super::words::{self, bytes, change, percent};
use crate::{
    compare::{
        change::Change,
        check::Check,
        diff::{Diff, GroupRow},
    },
    model::units::Bytes,
    report::markdown::{cell, row},
};

/// Writes a comparison; `top` limits each list, 0 lists all that changed.
///
/// # Errors
/// When `out` cannot be written.
pub fn diff(diff: &Diff, top: usize, mut out: impl Write) -> io::Result<()> {
    let most = if top == 0 { usize::MAX } else { top };
    writeln!(out, "### Duplicate page cache, before and after\n")?;
    head(&mut out, "what")?;
    let sums = diff
        .totals
        .iter()
        .chain(&diff.scopes)
        .chain(&diff.mechanisms);
    let kinds = [
        ("total", diff.totals.len()),
        ("scope", diff.scopes.len()),
        ("mechanism", diff.mechanisms.len()),
    ];
    let kinds = kinds
        .iter()
        .flat_map(|(kind, count)| std::iter::repeat_n(*kind, *count));
    for (kind, sum) in kinds.zip(sums) {
        line(
            &mut out,
            &format!("{kind} {}", cell(&sum.name)),
            &sum.change,
        )?;
    }
    let groups = [
        ("filesystem", &diff.filesystems),
        ("layer", &diff.layers),
        ("image", &diff.images),
        ("container", &diff.containers),
        ("memory cgroup", &diff.memcgs),
    ];
    for (what, rows) in groups {
        let moved = rows.iter().filter(|row| row.saving_share.is_worth_a_line());
        let moved: Vec<&GroupRow> = moved.take(most).collect();
        if !moved.is_empty() {
            writeln!(out)?;
            head(&mut out, what)?;
            for row in moved {
                line(&mut out, &cell(&row.name), &row.saving_share)?;
            }
        }
    }
    if let Some(contents) = &diff.contents {
        writeln!(out, "\n{}", words::contents(contents))?;
    }
    if !diff.files.is_empty() {
        writeln!(out, "\n#### What moved\n")?;
        head(&mut out, "file")?;
        for file in diff.files.iter().take(most) {
            let mut name = format!("{} ({})", cell(&file.row.name), file.became.words());
            if let Some(layer) = &file.layer {
                name.extend(["<br>in layer ", &cell(layer)]);
            }
            if let Some(partner) = file.partners.first() {
                let shared = Bytes(partner.shared_bytes).to_string();
                name.extend(["<br>", &shared, " with ", &cell(&partner.path)]);
                if let Some(layer) = &partner.layer {
                    name.extend([" in layer ", &cell(layer)]);
                }
            }
            line(&mut out, &name, &file.row.saving_share)?;
        }
    }
    notes(&mut out, &diff.notes)
}

fn head(mut out: impl Write, what: &str) -> io::Result<()> {
    row(&mut out, [what, "base", "new", "change", ""])?;
    row(&mut out, ["---", "--:", "--:", "--:", "--:"])
}

fn line(out: impl Write, name: &str, numbers: &Change) -> io::Result<()> {
    let values = [
        bytes(numbers.base_bytes),
        bytes(numbers.new_bytes),
        change(numbers),
        percent(numbers),
    ];
    row(
        out,
        [name].into_iter().chain(values.iter().map(String::as_str)),
    )
}

fn notes(mut out: impl Write, notes: &[String]) -> io::Result<()> {
    if !notes.is_empty() {
        writeln!(out)?;
    }
    for note in notes {
        writeln!(out, "- {}", cell(note))?;
    }
    Ok(())
}

/// Writes the outcome of a check.
///
/// # Errors
/// When `out` cannot be written.
pub fn check(check: &Check, mut out: impl Write) -> io::Result<()> {
    writeln!(out, "### Duplicate page cache: {}\n", check.verdict.word())?;
    row(&mut out, ["", "rule", "base", "new", "why"])?;
    row(&mut out, ["---", "---", "--:", "--:", "---"])?;
    for result in &check.results {
        let mut name = cell(&result.rule);
        if result.rule != result.measure {
            name.extend([" (", &cell(&result.measure), ")"]);
        }
        let values = [
            bytes(result.change.base_bytes),
            bytes(result.change.new_bytes),
        ];
        let reason = cell(&result.reason);
        row(
            &mut out,
            [
                result.verdict.word(),
                &name,
                &values[0],
                &values[1],
                &reason,
            ],
        )?;
    }
    notes(&mut out, &check.notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{check::rule::Rule, sample};

    #[test]
    fn a_comparison_is_tables_of_five_columns() {
        let document = Diff::new(&sample::report(), &sample::grown(), &[]);
        let mut out = Vec::new();
        diff(&document, 0, &mut out).expect("memory takes everything");
        let text = String::from_utf8(out).expect("text");
        assert!(
            text.contains("| total duplicate | 16.0 KiB | 24.0 KiB | +8.0 KiB | +50.0 % |")
                || text.contains("| total duplicate | 12.0 KiB | 20.0 KiB | +8.0 KiB | +66.7 % |"),
            "{text}"
        );
        assert!(
            text.contains("/srv/c/new.so (became duplicate)<br>8.0 KiB with /srv/a/libpython3.so")
        );
        for line in text.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(line.matches('|').count(), 6, "{line}");
        }
    }

    #[test]
    fn a_check_says_its_verdict_in_the_title() {
        let rule = Rule::parse("duplicate,percent=5,bytes=4096").expect("valid");
        let base = sample::report();
        let document = Check::new(&[rule], Some(&base), &sample::grown(), &[]);
        let mut out = Vec::new();
        check(&document, &mut out).expect("memory takes everything");
        let text = String::from_utf8(out).expect("text");
        assert!(
            text.starts_with("### Duplicate page cache: FAIL\n"),
            "{text}"
        );
        assert!(text.contains("| FAIL | duplicate |"), "{text}");
        let named = sample::checked(Some("no [more]"));
        let mut out = Vec::new();
        check(&named, &mut out).expect("memory takes everything");
        let text = String::from_utf8(out).expect("text");
        assert!(
            text.contains("| FAIL | no \\[more\\] (duplicate) |"),
            "{text}"
        );
    }
}

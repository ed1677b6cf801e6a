//! A plan as Markdown: what fits, how sure that is, and what it rests on.

use std::io::{self, Write};

use super::words;
use crate::{
    plan::document::Plan,
    report::markdown::{cell, row},
};

/// Writes a plan.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(plan: &Plan, mut out: impl Write) -> io::Result<()> {
    writeln!(
        out,
        "### Containers per host\n\nFor {}.\n",
        cell(&words::title(plan))
    )?;
    let planned = plan.planned().map(|planned| &planned.mechanisms);
    let rows = planned.into_iter().flatten();
    rows_of(
        &mut out,
        &words::columns(plan),
        rows.map(|row| words::cells(plan, row)),
    )?;
    writeln!(
        out,
        "\n#### When one assumption is wrong ({})\n",
        words::percentile(plan.planned_percentile)
    )?;
    let mut columns = vec!["assumption".to_owned()];
    columns.extend(words::mechanisms(plan));
    let ranges = words::ranges(plan).into_iter();
    rows_of(
        &mut out,
        &columns,
        ranges.map(|(words, ranges)| [words].into_iter().chain(ranges).collect()),
    )?;
    let inputs: Vec<String> = plan.inputs.iter().map(words::input).collect();
    for (title, lines) in [
        ("Measured", &inputs),
        ("Assumptions", &plan.assumptions),
        ("Notes", &plan.notes),
    ] {
        if !lines.is_empty() {
            writeln!(out, "\n#### {title}\n")?;
        }
        for line in lines {
            writeln!(out, "- {}", cell(line))?;
        }
    }
    Ok(())
}

fn rows_of(
    mut out: impl Write,
    columns: &[String],
    rows: impl Iterator<Item = Vec<String>>,
) -> io::Result<()> {
    row(&mut out, columns.iter().map(|column| cell(column)))?;
    let ruler = (0..columns.len()).map(|column| if column == 0 { "---" } else { "--:" });
    row(&mut out, ruler)?;
    for cells in rows {
        row(&mut out, cells.iter().map(|text| cell(text)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::write::sample;

    #[test]
    fn names_cannot_break_the_tables() {
        let mut plan = sample::plan();
        plan.images[0].name = "a|b<script>".to_owned();
        let mut out = Vec::new();
        write(&plan, &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("a\\|b&lt;script>"), "{text}");
        assert!(text.contains("| none | exact | "), "{text}");
    }
}

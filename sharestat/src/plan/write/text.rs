//! A plan as tables for people.

use std::io::{self, Write};

use comfy_table::Cell;

use super::words;
use crate::{
    model::units::Bytes,
    plan::document::{ImageEntry, Known, Plan},
    report::text::{Layout, arrange, heading, number, print, shown, table},
};

/// Writes a plan; `at` are numbers of containers to show.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(plan: &Plan, at: &[u64], layout: Layout, mut out: impl Write) -> io::Result<()> {
    writeln!(out, "Plan for {}", shown(&words::title(plan)))?;
    for input in &plan.inputs {
        writeln!(out, "  from {}", shown(&words::input(input)))?;
    }
    heading(&mut out, layout, "Images")?;
    print(&mut out, &images(plan, layout))?;
    heading(&mut out, layout, "How many containers fit one host")?;
    print(&mut out, &forecasts(plan, layout))?;
    if !at.is_empty() {
        heading(&mut out, layout, "Memory in use, and the page cache in it")?;
        print(&mut out, &points(plan, at, layout))?;
    }
    heading(
        &mut out,
        layout,
        &format!(
            "When one assumption is wrong ({})",
            words::percentile(plan.planned_percentile)
        ),
    )?;
    print(&mut out, &sensitivity(plan, layout))?;
    if !plan.checks.is_empty() {
        heading(&mut out, layout, "The model against what was measured")?;
        print(&mut out, &checks(plan, layout))?;
    }
    for (title, lines) in [("Assumptions", &plan.assumptions), ("Notes", &plan.notes)] {
        if !lines.is_empty() {
            heading(&mut out, layout, title)?;
            let mut table = table(layout, &[], 0);
            for line in lines {
                table.add_row([Cell::new("-"), Cell::new(shown(line))]);
            }
            arrange(&mut table);
            print(&mut out, &table)?;
        }
    }
    Ok(())
}

fn images(plan: &Plan, layout: Layout) -> comfy_table::Table {
    let columns = ["replicas", "measured", "private", "working set", "image"];
    let mut table = table(layout, &columns, 4);
    for image in &plan.images {
        table.add_row([
            number(&image.replicas.to_string()),
            number(&image.measured.to_string()),
            number(&private(image)),
            number(&working_set(image)),
            Cell::new(shown(&image.name)),
        ]);
    }
    arrange(&mut table);
    table
}

fn private(image: &ImageEntry) -> String {
    if image.private_from == Known::Unknown {
        return "unknown".to_owned();
    }
    format!(
        "{} {}",
        Bytes(image.private_bytes),
        image.private_from.word()
    )
}

fn working_set(image: &ImageEntry) -> String {
    let sets = image.working_set.iter();
    let words: Vec<String> = sets
        .map(|set| format!("p{} {}", set.percentile, Bytes(set.bytes)))
        .collect();
    if words.is_empty() {
        "one sample".to_owned()
    } else {
        words.join(", ")
    }
}

/// A table whose first column are words and whose other columns are numbers.
fn named(
    layout: Layout,
    columns: &[String],
    rows: impl Iterator<Item = Vec<String>>,
) -> comfy_table::Table {
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = table(layout, &columns, 0);
    for row in rows {
        table.add_row(row.iter().enumerate().map(|(column, cell)| {
            if column == 0 {
                Cell::new(shown(cell))
            } else {
                number(cell)
            }
        }));
    }
    arrange(&mut table);
    table
}

fn forecasts(plan: &Plan, layout: Layout) -> comfy_table::Table {
    let planned = plan.planned().map(|planned| &planned.mechanisms);
    let rows = planned.into_iter().flatten();
    named(
        layout,
        &words::columns(plan),
        rows.map(|row| words::cells(plan, row)),
    )
}

fn points(plan: &Plan, at: &[u64], layout: Layout) -> comfy_table::Table {
    let mut columns = vec!["mechanism".to_owned()];
    columns.extend(
        at.iter()
            .map(|containers| format!("{containers} containers")),
    );
    let planned = plan.planned().map(|planned| &planned.mechanisms);
    let rows = planned.into_iter().flatten().map(|row| {
        let at = at.iter().map(|containers| {
            let mut curve = row.curve.iter();
            let point = curve.find(|point| point.containers == *containers);
            point.map_or_else(String::new, |point| {
                format!(
                    "{} ({})",
                    Bytes(point.memory_bytes),
                    Bytes(point.page_cache_bytes)
                )
            })
        });
        [row.name.clone()].into_iter().chain(at).collect()
    });
    named(layout, &columns, rows)
}

fn sensitivity(plan: &Plan, layout: Layout) -> comfy_table::Table {
    let mut columns = vec!["assumption".to_owned()];
    columns.extend(words::mechanisms(plan));
    let rows = words::ranges(plan).into_iter();
    named(
        layout,
        &columns,
        rows.map(|(words, ranges)| [words].into_iter().chain(ranges).collect()),
    )
}

fn checks(plan: &Plan, layout: Layout) -> comfy_table::Table {
    let columns = ["containers", "measured", "model", "off", "input"];
    let mut table = table(layout, &columns, 4);
    for check in &plan.checks {
        table.add_row([
            number(&check.containers.to_string()),
            number(&Bytes(check.measured_bytes).to_string()),
            number(&Bytes(check.forecast_bytes).to_string()),
            number(&format!("{:+.1} %", check.error_percent)),
            Cell::new(shown(&check.input)),
        ]);
    }
    arrange(&mut table);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::write::sample;

    #[test]
    fn a_plan_shows_what_fits_and_what_it_rests_on() {
        let mut out = Vec::new();
        write(&sample::plan(), &[8], Layout::default(), &mut out).expect("memory");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"));
    }
}

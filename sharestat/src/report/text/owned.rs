//! The tables of layers, images, containers and copy-ups, what to do about them, and the
//! sums of a recording over time.

use std::io::{self, Write};

use comfy_table::{Cell, Table};

use super::{Holding, Layout, arrange, holdings, number, percent, print, shown, table};
use crate::{
    model::units::Bytes,
    report::{
        document::{Group, Report, TimelineEntry},
        timeline::{some, time},
    },
};

/// Layers, images, containers or cgroups that are listed: hosts have thousands, and the
/// other formats have all of them.
pub(super) const MOST_GROUPS: usize = 20;

/// The groups, most duplicate bytes first, as many as are listed.
pub(super) fn write_groups(mut out: impl Write, all: &[Group], layout: Layout) -> io::Result<()> {
    let (listed, more) = all.split_at(all.len().min(MOST_GROUPS));
    print(&mut out, &groups(listed, layout))?;
    if more.is_empty() {
        return Ok(());
    }
    let resident = Bytes(more.iter().map(|group| group.resident_bytes).sum());
    let more = more.len();
    writeln!(
        out,
        "and {more} more, {resident} resident: see '--format json'"
    )
}

fn groups(groups: &[Group], layout: Layout) -> Table {
    let rows = groups.iter().map(|group| Holding {
        resident: Bytes(group.resident_bytes),
        duplicate: Bytes(group.duplicate_bytes),
        exclusive: Bytes(group.exclusive_bytes),
        saving: group.saving_share_bytes,
        whose: whose(group),
    });
    holdings(layout, rows, "name")
}

/// Name, and in brackets what it is and who keeps it.
fn whose(group: &Group) -> String {
    let mut known: Vec<&str> = Vec::new();
    known.extend(group.kind.as_deref());
    known.extend(group.runtime.as_deref());
    known.extend(group.pod.as_deref());
    known.extend(group.containers.iter().map(String::as_str));
    let mut whose = shown(&group.name);
    if !known.is_empty() {
        whose.extend([" (", &known.join(", "), ")"]);
    }
    if let Some(charged) = group.charged_bytes {
        whose.extend(["\n  charged ", &Bytes(charged).to_string()]);
        if let Some(private) = group.private_bytes {
            whose.extend([", private ", &Bytes(private).to_string()]);
        }
    }
    if let Some(directory) = group.directory.as_ref().filter(|name| **name != group.name) {
        whose.extend(["\n  ", &shown(directory)]);
    }
    whose
}

pub(super) fn copy_ups(report: &Report, layout: Layout) -> Table {
    let mut table = table(
        layout,
        &["equal", "differing", "upper file, and what it hides"],
        2,
    );
    for copy_up in &report.copy_ups {
        let why = if copy_up.metadata_only {
            " (metadata only)"
        } else {
            ""
        };
        table.add_row([
            number(&Bytes(copy_up.equal_bytes).to_string()),
            number(&Bytes(copy_up.differing_bytes).to_string()),
            Cell::new(format!(
                "{}{why}\n  {}",
                shown(&copy_up.path),
                shown(&copy_up.source)
            )),
        ]);
    }
    arrange(&mut table);
    table
}

pub(super) fn advice(report: &Report, layout: Layout) -> Table {
    let mut table = table(layout, &["saving", "change"], 1);
    for line in &report.advice {
        let words = shown(&line.words());
        table.add_row([number(&line.saving()), Cell::new(words)]);
    }
    arrange(&mut table);
    table
}

pub(super) fn timeline(moments: &[TimelineEntry], layout: Layout) -> Table {
    let mut table = table(layout, &["time", "resident", "duplicate", "part"], 4);
    for TimelineEntry { elapsed_ms, totals } in some(moments) {
        let hashed = totals.distinct_bytes.saturating_add(totals.duplicate_bytes);
        table.add_row([
            number(&time(*elapsed_ms)),
            number(&Bytes(totals.resident_bytes).to_string()),
            number(&Bytes(totals.duplicate_bytes).to_string()),
            number(&percent(totals.duplicate_bytes, hashed)),
        ]);
    }
    arrange(&mut table);
    table
}

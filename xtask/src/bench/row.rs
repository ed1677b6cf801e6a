//! One row of the table: what was measured, beside what, and whether that is enough.

use std::fmt::Write as _;

/// What a value has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// The value or more.
    AtLeast(f64),
    /// The value or less.
    AtMost(f64),
    /// For comparison only.
    None,
}

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// What was measured.
    pub(super) what: String,
    /// Our figure, with its unit.
    pub(super) ours: String,
    /// The other figure: a peer, a limit of the machine, or the same without us.
    pub(super) other: String,
    /// The value that is judged; `None` when it could not be measured.
    pub(super) value: Option<f64>,
    /// What it has to reach.
    pub(super) target: Target,
    /// What else has to be said.
    pub(super) note: String,
}

impl Row {
    /// A row for something that could not be measured.
    pub(super) fn failed(what: &str, error: &anyhow::Error) -> Self {
        let note = format!("{error:#}");
        Self::absent(what, note.lines().next().unwrap_or_default())
    }

    /// A row for something that this machine cannot do or does not have.
    pub(super) fn absent(what: &str, why: &str) -> Self {
        Self {
            what: what.to_owned(),
            ours: String::new(),
            other: String::new(),
            value: None,
            target: Target::None,
            note: format!("cannot run here: {why}"),
        }
    }

    /// Whether the target is missed; what could not be measured misses nothing.
    pub(super) fn misses(&self) -> bool {
        self.verdict() == "missed"
    }

    fn verdict(&self) -> &'static str {
        match (self.value, self.target) {
            (None, _) => "not measured",
            (Some(_), Target::None) => "for comparison",
            (Some(value), Target::AtLeast(least)) if value >= least => "holds",
            (Some(value), Target::AtMost(most)) if value <= most => "holds",
            _ => "missed",
        }
    }

    fn cells(&self) -> [String; 7] {
        let target = match self.target {
            Target::AtLeast(least) => format!("≥ {}", shown(least)),
            Target::AtMost(most) => format!("≤ {}", shown(most)),
            Target::None => String::new(),
        };
        [
            self.what.clone(),
            self.ours.clone(),
            self.other.clone(),
            self.value.map(shown).unwrap_or_default(),
            target,
            self.verdict().to_owned(),
            self.note.clone(),
        ]
    }
}

/// Three digits or so.
fn shown(value: f64) -> String {
    if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        let text = format!("{value:.3}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        text.to_owned()
    }
}

const HEADINGS: [&str; 7] = [
    "what", "ours", "other", "value", "target", "verdict", "note",
];

/// The rows in columns.
pub(super) fn table(rows: &[Row]) -> String {
    let lines: Vec<[String; 7]> = std::iter::once(HEADINGS.map(str::to_owned))
        .chain(rows.iter().map(Row::cells))
        .collect();
    let mut text = String::new();
    for line in &lines {
        let mut out = String::new();
        for (column, cell) in line.iter().enumerate() {
            let cells = lines.iter().filter_map(|line| line.get(column));
            let width = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            let _ = write!(out, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", out.trim_end());
    }
    text
}

/// The rows as a Markdown table.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| {} |\n|{}\n", HEADINGS.join(" | "), "---|".repeat(7));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.cells().join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: Option<f64>, target: Target) -> Row {
        Row {
            value,
            target,
            note: String::new(),
            ..Row::absent("a", "b")
        }
    }

    #[test]
    fn verdict_compares_with_the_target() {
        assert_eq!(row(Some(2.0), Target::AtLeast(2.0)).verdict(), "holds");
        assert_eq!(row(Some(1.9), Target::AtLeast(2.0)).verdict(), "missed");
        assert_eq!(row(Some(1.9), Target::AtMost(2.0)).verdict(), "holds");
        assert_eq!(row(Some(f64::NAN), Target::AtMost(2.0)).verdict(), "missed");
        assert_eq!(row(None, Target::AtMost(2.0)).verdict(), "not measured");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = table(&[row(Some(0.25), Target::AtLeast(0.25))]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].find("value"), lines[1].find("0.25"));
        assert!(lines[1].contains("≥ 0.25  holds"), "{text}");
    }
}

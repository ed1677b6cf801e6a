//! Derefs: which code touches `folio->mapping`, and one site in full.

use ratatui::text::{Line, Span};

use super::{
    super::{
        frame::DerefRow,
        state::State,
        text::{clean, pad_right, wrap},
        theme::Role,
        units::{count, percent, ratio},
    },
    Section,
    bars::{safe, title},
};

/// What the table says when the result has no site.
pub(super) const EMPTY: &str = "the result has no site: nothing touched a watched folio";

/// Columns of a name before its value.
const NAME: usize = 14;

/// Everything about one site.
pub(super) fn sections(state: &State, id: &str, site: &str, columns: usize) -> Vec<Section> {
    let theme = &state.theme;
    let Some(derefs) = &state.frame().derefs else {
        return vec![vec![title(site, columns, theme)]];
    };
    let mut sections = Vec::new();
    if let Some(row) = derefs.sites.iter().find(|row| *row.id == *id) {
        sections.push(about(state, row, columns));
        let mut stack = vec![title("The most frequent stack", columns, theme)];
        let frames = row.stack.iter();
        stack.extend(frames.map(|frame| Line::raw(format!("  {}", safe(frame, columns, theme)))));
        sections.push(stack);
    }
    let mut source = vec![title("Where this comes from", columns, theme)];
    source.extend(field(state, "file", &derefs.source, columns));
    for fact in &derefs.facts {
        source.extend(field(state, "", fact, columns));
    }
    sections.push(source);
    sections
}

fn about(state: &State, row: &DerefRow, columns: usize) -> Section {
    let mut lines = vec![title(&row.site, columns, &state.theme)];
    let share = percent(ratio(row.shareable, row.hits));
    let hits = format!(
        "{}, {} ({share}) of a folio that could be shared",
        count(row.hits),
        count(row.shareable)
    );
    lines.extend(field(state, "hits", &hits, columns));
    lines.extend(field(state, "access", &row.access, columns));
    lines.extend(field(state, "context", &row.context, columns));
    lines.extend(field(state, "subsystem", &row.subsystem, columns));
    for (name, value) in &row.details {
        lines.extend(field(state, name, value, columns));
    }
    lines
}

/// A name and its value, in as many lines as it takes.
fn field(state: &State, name: &str, value: &str, columns: usize) -> Section {
    let theme = &state.theme;
    let text = clean(value, theme.glyphs.ascii);
    let parts = wrap(&text, columns.saturating_sub(2 + NAME).max(8)).into_iter();
    parts
        .enumerate()
        .map(|(number, part)| {
            let name = if number == 0 { name } else { "" };
            Line::from(vec![
                Span::styled(
                    format!("  {}", pad_right(name, NAME)),
                    theme.style(Role::Dim),
                ),
                Span::raw(part),
            ])
        })
        .collect()
}

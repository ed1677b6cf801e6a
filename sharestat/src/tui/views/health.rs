//! Health: which hooks work, what was lost, counters, and what the numbers do not cover.

use ratatui::text::{Line, Span};

use super::{
    super::{
        state::State,
        text::{clean, pad_left, pad_right, wrap},
        theme::Role,
        units::count,
    },
    Section,
    bars::{safe, title},
};

pub(super) fn sections(state: &State, columns: usize) -> Vec<Section> {
    vec![
        hooks(state, columns),
        notes(state, columns),
        counters(state, columns),
    ]
}

fn hooks(state: &State, columns: usize) -> Section {
    let theme = &state.theme;
    let mut lines = vec![title("Kernel hooks", columns, theme)];
    for hook in &state.frame().hooks {
        let (word, role) = match (hook.works(), hook.lost) {
            (false, _) => ("missing", Role::Bad),
            (true, 0) => ("ok", Role::Good),
            (true, _) => ("lossy", Role::Warning),
        };
        lines.push(Line::from(vec![
            Span::raw("  "),
            Span::styled(pad_right(word, 8), theme.style(role)),
            Span::raw(safe(&hook.event, columns.saturating_sub(10), theme)),
        ]));
        let mut detail = hook.attached.clone();
        if hook.lost > 0 {
            detail = format!("{detail}, {} events lost", count(hook.lost));
        }
        for part in wrap(
            &clean(&detail, theme.glyphs.ascii),
            columns.saturating_sub(10),
        ) {
            lines.push(Line::styled(
                format!("          {part}"),
                theme.style(Role::Dim),
            ));
        }
    }
    if state.frame().hooks.is_empty() {
        lines.push(Line::raw("  none: this engine needs none"));
    }
    lines
}

fn notes(state: &State, columns: usize) -> Section {
    let theme = &state.theme;
    let mut lines = vec![title("What the numbers do not cover", columns, theme)];
    for note in &state.frame().notes {
        let parts = wrap(&clean(note, theme.glyphs.ascii), columns.saturating_sub(4));
        for (position, part) in parts.into_iter().enumerate() {
            let mark = if position == 0 { "* " } else { "  " };
            lines.push(Line::raw(format!("  {mark}{part}")));
        }
    }
    if state.frame().notes.is_empty() {
        lines.push(Line::raw("  nothing to report"));
    }
    lines
}

fn counters(state: &State, columns: usize) -> Section {
    let theme = &state.theme;
    let mut lines = vec![title("Counters", columns, theme)];
    for counter in &state.frame().counters {
        let value = pad_left(&count(counter.value), 16);
        let room = columns.saturating_sub(2 + 1 + value.len());
        let name = pad_right(&safe(&counter.name, room, theme), room);
        let role = if counter.value == 0 {
            Role::Dim
        } else {
            Role::Strong
        };
        lines.push(Line::from(vec![
            Span::raw(format!("  {name} ")),
            Span::styled(value, theme.style(role)),
        ]));
    }
    if state.frame().counters.is_empty() {
        lines.push(Line::raw("  none"));
    }
    lines
}

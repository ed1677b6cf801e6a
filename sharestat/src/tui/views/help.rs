//! The help, made from the tables of actions and columns.

use ratatui::{
    Frame as Canvas,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Paragraph},
};

use super::{
    super::{
        actions::{ACTIONS, Group, Spec},
        columns::COLUMNS,
        state::State,
        text::{clean, pad_right, wrap},
        theme::Role,
    },
    Section,
    bars::title,
};

const LANGUAGE: [(&str, &str); 6] = [
    (
        "dup>10MiB",
        "sizes: = != < <= > >= with K, KiB, KB, M, MiB, … or plain bytes",
    ),
    (
        "path~python",
        "text that contains this, in any case; !~ for text that does not",
    ),
    ("fs=xfs", "text that is exactly this; != for any other"),
    ("python", "a word alone is looked for in every text column"),
    (
        "a b, a or b, not a",
        "both, either, neither; brackets group",
    ),
    ("path='a b'", "quotes for blanks and brackets"),
];

const LABEL: usize = 22;

/// Draws the help over the page, scrolled to line `top` or as far as there is something.
pub(in super::super) fn draw(state: &State, top: usize, canvas: &mut Canvas<'_>, area: Rect) {
    let lines = lines(state, usize::from(area.width));
    let last = lines.len().saturating_sub(usize::from(area.height));
    let top = u16::try_from(top.min(last)).unwrap_or(u16::MAX);
    canvas.render_widget(Clear, area);
    canvas.render_widget(Paragraph::new(lines).scroll((top, 0)), area);
}

/// All lines of the help.
pub(in super::super) fn lines(state: &State, columns: usize) -> Section {
    let theme = &state.theme;
    let mut lines = Section::new();
    for group in Group::ALL {
        lines.push(title(group.title(), columns, theme));
        let listed = |spec: &&Spec| spec.group == group && state.lists(spec.action);
        for spec in ACTIONS.iter().filter(listed) {
            let keys = state.keys.keys_of(spec.action);
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            let text = format!("{} ({})", spec.help, spec.name);
            entry(state, &mut lines, &keys.join(" "), &text, columns);
        }
        lines.push(Line::default());
    }
    lines.push(title(
        "Columns: the letter sorts, once more turns round",
        columns,
        theme,
    ));
    for spec in &COLUMNS {
        let names: Vec<&str> = std::iter::once(spec.name)
            .chain(spec.aliases.iter().copied())
            .collect();
        let label = format!("{}  {}", spec.letter, names.join(", "));
        entry(state, &mut lines, &label, spec.help, columns);
    }
    lines.push(Line::default());
    lines.push(title("Filter", columns, theme));
    for (example, meaning) in LANGUAGE {
        entry(state, &mut lines, example, meaning, columns);
    }
    lines
}

fn entry(state: &State, lines: &mut Section, label: &str, text: &str, columns: usize) {
    let theme = &state.theme;
    let ascii = theme.glyphs.ascii;
    let text = if ascii {
        text.replace('…', "...")
    } else {
        text.to_owned()
    };
    let room = columns.saturating_sub(LABEL + 3).max(10);
    for (position, part) in wrap(&clean(&text, ascii), room).into_iter().enumerate() {
        let label = if position == 0 { label } else { "" };
        lines.push(Line::from(vec![
            Span::styled(
                format!("  {} ", pad_right(label, LABEL)),
                theme.style(Role::Key),
            ),
            Span::raw(part),
        ]));
    }
}

//! Small windows over a page: sort menu and command palette.

use ratatui::{
    Frame as Canvas,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Paragraph},
};

use super::super::{
    overlay::palette_entries,
    state::State,
    text::{clean, keep_end, keep_start, pad_right, width},
    theme::Role,
};

/// The columns of the current table, each with its letter.
pub(in super::super) fn sort(state: &State, selected: usize, canvas: &mut Canvas<'_>, area: Rect) {
    let Some(list) = state.list() else { return };
    let entries = list.table().columns().iter().map(|column| {
        let spec = column.spec();
        format!(
            "{}  {}  {}",
            spec.letter,
            pad_right(spec.name, 10),
            spec.help
        )
    });
    window(
        state,
        "Sort by",
        &entries.collect::<Vec<_>>(),
        selected,
        canvas,
        area,
    );
}

/// Commands that match what was typed.
pub(in super::super) fn palette(
    state: &State,
    typed: &str,
    selected: usize,
    canvas: &mut Canvas<'_>,
    area: Rect,
) {
    let entries = palette_entries(typed).into_iter().map(|action| {
        let spec = action.spec();
        format!("{}  {}", pad_right(spec.name, 14), spec.help)
    });
    let glyphs = state.theme.glyphs;
    let room = usize::from(area.width).saturating_sub(12);
    let typed = keep_end(&clean(typed, glyphs.ascii), room, glyphs.cut);
    let title = format!(":{typed}_");
    let mut entries: Vec<String> = entries.collect();
    if entries.is_empty() {
        entries.push("no command has this in its name or description".to_owned());
    }
    window(state, &title, &entries, selected, canvas, area);
}

/// A window with a title and a list, scrolled so that the selected entry shows.
fn window(
    state: &State,
    title: &str,
    entries: &[String],
    selected: usize,
    canvas: &mut Canvas<'_>,
    area: Rect,
) {
    let theme = &state.theme;
    let glyphs = theme.glyphs;
    if area.height < 3 || area.width < 8 {
        return;
    }
    let wide = area.width.min(90);
    let wanted = u16::try_from(entries.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let high = wanted.min(area.height);
    let place = Rect::new(area.x + (area.width - wide) / 2, area.y, wide, high);
    let inner = usize::from(wide) - 2;
    let rows = usize::from(high) - 2;
    let title = keep_start(title, inner, glyphs.cut);
    let [top_left, top_right, bottom_right, bottom_left] = glyphs.corners;
    let frame = theme.style(Role::Dim);
    let mut lines = vec![Line::from(vec![
        Span::styled(top_left, frame),
        Span::styled(title.clone(), theme.style(Role::Title)),
        Span::styled(
            glyphs.line.repeat(inner.saturating_sub(width(&title))),
            frame,
        ),
        Span::styled(top_right, frame),
    ])];
    let top = (selected + 1).saturating_sub(rows);
    for (position, entry) in entries.iter().enumerate().skip(top).take(rows) {
        let chosen = position == selected;
        let cursor = if chosen { glyphs.cursor } else { " " };
        let text = clean(&format!(" {entry}"), glyphs.ascii);
        let text = pad_right(&keep_start(&text, inner - 1, glyphs.cut), inner - 1);
        let role = if chosen { Role::Selected } else { Role::Text };
        lines.push(Line::from(vec![
            Span::styled(glyphs.side, frame),
            Span::styled(format!("{cursor}{text}"), theme.style(role)),
            Span::styled(glyphs.side, frame),
        ]));
    }
    lines.push(Line::styled(
        format!("{bottom_left}{}{bottom_right}", glyphs.line.repeat(inner)),
        frame,
    ));
    canvas.render_widget(Clear, place);
    canvas.render_widget(Paragraph::new(lines), place);
}

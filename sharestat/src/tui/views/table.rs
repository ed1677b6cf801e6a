//! Draws any table: title with filter and order, header, and only the visible rows.

use std::ops::Range;

use ratatui::{
    Frame as Canvas,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{
    super::{
        actions::Action,
        columns::Column,
        draw::{Hit, Hits, line},
        list::{List, share},
        pages::{Page, Rows},
        rows::Row,
        state::State,
        text::{clean, keep_end, keep_ends, keep_start, pad_left, pad_right, width, wrap},
        theme::Role,
        units::{count, percent, ratio, span},
    },
    bars::safe,
};
use crate::{model::units::Bytes, query::Value};

/// Columns of the cursor before each row.
const CURSOR: usize = 2;

/// Draws the current page's table; `empty` says why there are no rows.
pub(super) fn draw(
    state: &State,
    empty: &str,
    canvas: &mut Canvas<'_>,
    area: Rect,
    hits: &mut Hits,
) {
    let Some(list) = state.list() else { return };
    let source = state.source();
    let rows = state.rows().unwrap_or(Rows::Groups(&[]));
    let row = |y: u16| Rect::new(area.x, area.y + y, area.width, 1).intersection(area);
    let columns = fitting(state, list, usize::from(area.width));
    let cut_text = cut_text(state, rows, &columns);
    let first = title(state, list, rows, cut_text, usize::from(area.width));
    line(canvas, row(0), first);
    line(canvas, row(1), header(state, list, &columns, row(1), hits));
    let body = Rect::new(
        area.x,
        area.y + 2,
        area.width,
        area.height.saturating_sub(2),
    );
    if state.order.is_empty() {
        let text = if !source.is_measured() {
            "nothing is measured yet".to_owned()
        } else if list.filter().is_empty() || rows.is_empty() {
            empty.to_owned()
        } else {
            format!("no row matches the filter '{}'", list.filter())
        };
        let text = clean(&text, state.theme.glyphs.ascii);
        let lines = wrap(&text, usize::from(area.width).saturating_sub(2));
        let lines: Vec<_> = lines
            .into_iter()
            .map(|part| Line::raw(format!("  {part}")))
            .collect();
        canvas.render_widget(Paragraph::new(lines), body.intersection(area));
        return;
    }
    for (y, place) in (0..body.height).zip(visible(state, body.height)) {
        let Some(position) = state.order.get(place) else {
            break;
        };
        let selected = place == state.step().cursor;
        let area = Rect::new(body.x, body.y + y, body.width, 1);
        let text = cells(state, rows.row(*position as usize), &columns, selected);
        line(canvas, area, text);
        hits.push((area, Hit::Row(place)));
    }
}

/// The text of the row under the cursor, when its column is too narrow for it.
fn cut_text(state: &State, rows: Rows<'_>, columns: &[(Column, usize)]) -> Option<String> {
    let (column, room) = columns.last()?;
    match rows.row(state.selected()?).value(*column) {
        Value::Text(text) if width(text) > *room => Some(clean(text, state.theme.glyphs.ascii)),
        Value::Text(_) | Value::Bytes(_) | Value::Missing => None,
    }
}

fn visible(state: &State, height: u16) -> Range<usize> {
    let top = state.step().top;
    top..top + usize::from(height)
}

/// Where one is, how many rows there are, what they are filtered by.
fn title(
    state: &State,
    list: &List,
    rows: Rows<'_>,
    cut_text: Option<String>,
    room: usize,
) -> Line<'static> {
    let glyphs = state.theme.glyphs;
    let steps = state
        .steps
        .iter()
        .map(|step| clean(&step.page.title(), glyphs.ascii));
    let path = steps
        .collect::<Vec<_>>()
        .join(&format!(" {} ", glyphs.into));
    let shown = state.order.len();
    let total = rows.len();
    let mut facts = vec![if shown == total {
        count(shown as u64)
    } else {
        format!("{} of {}", count(shown as u64), count(total as u64))
    }];
    if !list.filter().is_empty() {
        facts.push(format!("filter: {}", safe(list.filter(), 40, &state.theme)));
    }
    if !state.shares && !state.units.note().is_empty() {
        facts.push(state.units.name().to_owned());
    }
    let behind = state.source().lists.behind_ms;
    if behind >= 1_000 && !matches!(state.page(), Page::Copies(..) | Page::Derefs) {
        let behind = span(std::time::Duration::from_millis(behind));
        facts.push(format!("as of {behind} before the sums"));
    }
    if list.follow.is_some() {
        facts.push("following".to_owned());
    }
    if matches!(state.page(), Page::Copies(..)) && state.source().sequence != state.frame().sequence
    {
        facts.push("newer than the frozen frame".to_owned());
    }
    let dot = format!(" {} ", glyphs.dot);
    let facts = format!("{dot}{}", facts.join(&dot));
    let mut detail = String::new();
    if let Some(text) = cut_text {
        // The cursor's row in full, as far as the line goes.
        let used = width(&path) + width(&facts) + width(&dot);
        if used + 20 < room {
            detail = format!("{dot}{}", keep_end(&text, room - used, glyphs.cut));
        }
    }
    let facts = keep_start(&facts, room, glyphs.cut);
    let path = keep_end(&path, room.saturating_sub(width(&facts)), glyphs.cut);
    Line::from(vec![
        Span::styled(path, state.theme.style(Role::Title)),
        Span::styled(facts, state.theme.style(Role::Dim)),
        Span::raw(detail),
    ])
}

/// The columns that fit, with their widths. The light ones go first; the text at the end
/// and the column sorted by stay.
fn fitting(state: &State, list: &List, room: usize) -> Vec<(Column, usize)> {
    let resident = Bytes::of_pages(state.frame().totals.resident).0;
    let size = if state.shares {
        10
    } else {
        state.units.columns(resident)
    };
    let wanted = |column: Column| match column {
        _ if column.is_text() => column.text_width(),
        _ => size.max(10),
    };
    let mut columns = list.table().columns().to_vec();
    let text = columns[columns.len() - 1];
    loop {
        let fixed: usize = columns
            .iter()
            .filter(|column| **column != text)
            .map(|column| wanted(*column) + 1)
            .sum();
        let rest = room.saturating_sub(CURSOR + fixed);
        let lightest = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| **column != text && **column != list.sort())
            .min_by_key(|(_, column)| column.spec().weight)
            .map(|(position, _)| position);
        match lightest {
            Some(position) if rest < 23 => {
                columns.remove(position);
            }
            _ => {
                let width = |column| if column == text { rest } else { wanted(column) };
                return columns
                    .into_iter()
                    .map(|column| (column, width(column)))
                    .collect();
            }
        }
    }
}

fn header(
    state: &State,
    list: &List,
    columns: &[(Column, usize)],
    area: Rect,
    hits: &mut Hits,
) -> Line<'static> {
    let theme = &state.theme;
    let mut spans = vec![Span::styled(" ".repeat(CURSOR), theme.style(Role::Header))];
    let mut x = area.x + 2;
    for (position, (column, columns_wide)) in columns.iter().enumerate() {
        let sorted = *column == list.sort();
        let arrow = match (sorted, list.descending()) {
            (false, _) => "",
            (true, true) => theme.glyphs.descending,
            (true, false) => theme.glyphs.ascending,
        };
        let text = keep_start(
            &format!("{}{arrow}", column.spec().header),
            *columns_wide,
            "",
        );
        let text = if column.is_text() {
            pad_right(&text, *columns_wide)
        } else {
            pad_left(&text, *columns_wide)
        };
        if position > 0 {
            spans.push(Span::styled(" ", theme.style(Role::Header)));
            x = x.saturating_add(1);
        }
        let wide = u16::try_from(*columns_wide).unwrap_or(u16::MAX);
        hits.push((
            Rect::new(x, area.y, wide, 1).intersection(area),
            Hit::Sort(*column),
        ));
        x = x.saturating_add(wide);
        let role = if sorted { Role::Sorted } else { Role::Header };
        spans.push(Span::styled(text, theme.style(role)));
    }
    Line::from(spans)
}

fn cells(
    state: &State,
    row: &dyn Row,
    columns: &[(Column, usize)],
    selected: bool,
) -> Line<'static> {
    let theme = &state.theme;
    let glyphs = theme.glyphs;
    let base = if selected {
        theme.style(Role::Selected)
    } else {
        Style::new()
    };
    let cursor = if selected { glyphs.cursor } else { " " };
    let mut spans = vec![Span::styled(pad_right(cursor, CURSOR), base)];
    for (position, (column, room)) in columns.iter().enumerate() {
        if position > 0 {
            spans.push(Span::styled(" ", base));
        }
        let (text, role) = match row.value(*column) {
            Value::Text(text) => {
                let text = keep_ends(&clean(text, glyphs.ascii), *room, glyphs.cut);
                (pad_right(&text, *room), Role::Text)
            }
            Value::Bytes(0) => (pad_left("0", *room), Role::Dim),
            Value::Bytes(bytes) => {
                let text = shown(state, row, *column, bytes);
                let text = keep_start(&text, *room, glyphs.cut);
                let sorted = state.list().is_some_and(|list| list.sort() == *column);
                (
                    pad_left(&text, *room),
                    if sorted { Role::Strong } else { Role::Text },
                )
            }
            Value::Missing if column.is_text() => (pad_right("-", *room), Role::Dim),
            Value::Missing => (pad_left("-", *room), Role::Dim),
        };
        let style = if selected { base } else { theme.style(role) };
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

fn shown(state: &State, row: &dyn Row, column: Column, bytes: u64) -> String {
    if column.is_count() {
        return count(bytes);
    }
    if !state.shares || column == Column::Shared || column.is_past() {
        return state.units.show(bytes);
    }
    if matches!(column, Column::Resident | Column::Charged) {
        return percent(ratio(
            bytes,
            Bytes::of_pages(state.frame().totals.resident).0,
        ));
    }
    percent(share(row, column))
}

/// Words for the key of an action, as far as it has one.
pub(super) fn key_hint(state: &State, action: Action) -> String {
    state
        .keys
        .keys_of(action)
        .first()
        .map_or_else(|| format!("':{}'", action.spec().name), ToString::to_string)
}

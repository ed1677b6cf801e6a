//! A picture of the state: tabs, status, the page, overlay, footer. Changes nothing;
//! returns what is where, for the mouse.

use std::time::Instant;

use ratatui::{
    Frame as Canvas,
    layout::{Alignment, Rect},
    text::Line,
    widgets::{Clear, Paragraph},
};

use super::{
    chrome, columns::Column, overlay::Overlay, pages::View, state::State, text::keep_start, views,
};

/// Something that the mouse can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// A tab.
    View(View),
    /// A column's header.
    Sort(Column),
    /// A row, by its place in the order.
    Row(usize),
}

/// What is where on the screen.
pub type Hits = Vec<(Rect, Hit)>;

/// The smallest screen that anything fits on.
pub const SMALLEST: (u16, u16) = (20, 5);

/// Draws the state, which has been [prepared](State::prepare) for this size.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, now: Instant) -> Hits {
    let area = canvas.area();
    let mut hits = Hits::new();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = keep_start("terminal too small", usize::from(area.width), "");
        canvas.render_widget(Paragraph::new(text).alignment(Alignment::Center), area);
        return hits;
    }
    let row = |y: u16| Rect::new(area.x, area.y + y, area.width, 1);
    chrome::tabs(state, canvas, row(0), &mut hits);
    line(
        canvas,
        row(1),
        chrome::status(state, now, usize::from(area.width)),
    );
    let body = Rect::new(area.x, area.y + 2, area.width, area.height - 3);
    views::draw_page(state, canvas, body, &mut hits);
    let footer = row(area.height - 1);
    match &state.overlay {
        None => {}
        Some(Overlay::Help { top }) => views::help::draw(state, *top, canvas, body),
        Some(Overlay::Sort { selected }) => views::menus::sort(state, *selected, canvas, body),
        Some(Overlay::Palette { input, selected }) => {
            views::menus::palette(state, &input.text, *selected, canvas, body);
        }
        Some(Overlay::Filter { input, error }) => {
            if let Some(error) = error {
                line(
                    canvas,
                    row(1),
                    chrome::filter_error(state, &input.text, error, area.width),
                );
            }
            line(
                canvas,
                footer,
                chrome::filter_prompt(state, &input.text, area.width),
            );
            return hits;
        }
    }
    line(
        canvas,
        footer,
        chrome::footer(state, usize::from(area.width)),
    );
    hits
}

/// One line over whatever was there.
pub(super) fn line(canvas: &mut Canvas<'_>, area: Rect, line: Line<'_>) {
    canvas.render_widget(Clear, area);
    canvas.render_widget(Paragraph::new(line), area);
}

//! One file per view. Tables share `table`; the other views are sections of lines that
//! flow into as many columns as the screen has room for.

use ratatui::{Frame as Canvas, layout::Rect, text::Line, widgets::Paragraph};

use super::{
    draw::Hits,
    pages::{Page, View},
    state::State,
};

mod bars;
mod copies;
mod derefs;
mod events;
mod files;
mod filesystems;
pub(super) mod groups;
mod health;
mod heatmap;
pub(super) mod help;
pub(super) mod menus;
mod overview;
mod table;

/// A titled block of lines.
type Section = Vec<Line<'static>>;

/// Columns between two columns of sections.
const GAP: u16 = 3;

/// Draws the current page.
pub(super) fn draw_page(state: &State, canvas: &mut Canvas<'_>, area: Rect, hits: &mut Hits) {
    match state.page() {
        Page::Files(within) => {
            let empty = files::empty(state, within.is_some());
            table::draw(state, &empty, canvas, area, hits);
        }
        Page::Copies(..) => table::draw(state, &copies::empty(state), canvas, area, hits),
        Page::Tree(below) => table::draw(state, &tree_empty(state, below), canvas, area, hits),
        Page::Derefs => table::draw(state, derefs::EMPTY, canvas, area, hits),
        Page::Filesystems => table::draw(state, filesystems::EMPTY, canvas, area, hits),
        Page::Layers(_) => {
            table::draw(
                state,
                &groups::empty(state, View::Layers),
                canvas,
                area,
                hits,
            );
        }
        Page::Images => {
            table::draw(
                state,
                &groups::empty(state, View::Images),
                canvas,
                area,
                hits,
            );
        }
        Page::Containers => {
            table::draw(
                state,
                &groups::empty(state, View::Containers),
                canvas,
                area,
                hits,
            );
        }
        Page::Memcgs => {
            table::draw(
                state,
                &groups::empty(state, View::Memcgs),
                canvas,
                area,
                hits,
            );
        }
        Page::Overview | Page::LayerMap | Page::Events | Page::Health | Page::Deref(..) => {
            let top = u16::try_from(state.step().cursor).unwrap_or(u16::MAX);
            let (width, columns) = flow(state, area.width);
            for (column, lines) in (0_u16..).zip(columns) {
                let x = area.x + column * (width + GAP);
                let place = Rect::new(x, area.y, width, area.height).intersection(area);
                canvas.render_widget(Paragraph::new(lines).scroll((top, 0)), place);
            }
        }
    }
}

/// Why a tree has no rows: as for the list that it is made of.
fn tree_empty(state: &State, below: &Page) -> String {
    match below {
        Page::Layers(_) => groups::empty(state, View::Layers),
        Page::Images => groups::empty(state, View::Images),
        Page::Containers => groups::empty(state, View::Containers),
        Page::Filesystems => filesystems::EMPTY.to_owned(),
        page => files::empty(state, matches!(page, Page::Files(Some(_)))),
    }
}

/// Lines of the current page at the state's size, 0 for a table.
pub(super) fn line_count(state: &State) -> usize {
    let (_, columns) = flow(state, state.size.width);
    columns.iter().map(Vec::len).max().unwrap_or(0)
}

/// The sections of the current page in columns, each section in the shortest column.
fn flow(state: &State, room: u16) -> (u16, Vec<Section>) {
    // The map needs all the room that there is.
    let whole = matches!(state.page(), Page::LayerMap);
    let count = match room {
        _ if whole => 1,
        // Two columns hold a mechanism with its words, which takes 60.
        0..124 => 1,
        124..190 => 2,
        _ => 3,
    };
    let width =
        (room.saturating_sub((count - 1) * GAP) / count).min(if whole { u16::MAX } else { 120 });
    let columns = usize::from(width);
    let sections = match state.page() {
        Page::Overview => overview::sections(state, columns),
        Page::LayerMap => heatmap::sections(state, columns),
        Page::Events => events::sections(state, columns),
        Page::Health => health::sections(state, columns),
        Page::Deref(id, site) => derefs::sections(state, id, site, columns),
        _ => Vec::new(),
    };
    let mut flowed = vec![Section::new(); usize::from(count)];
    for section in sections {
        let shortest = (0..flowed.len())
            .min_by_key(|column| flowed[*column].len())
            .unwrap_or(0);
        let column = &mut flowed[shortest];
        if !column.is_empty() {
            column.push(Line::default());
        }
        column.extend(section);
    }
    (width, flowed)
}

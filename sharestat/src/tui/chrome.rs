//! The frame round every page: tabs, status line, footer, filter prompt.

use std::time::{Duration, Instant};

use ratatui::{
    Frame as Canvas,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    actions::{ACTIONS, Action, Group},
    draw::{Hit, Hits, line},
    frame::{Census, Playback},
    overlay::Overlay,
    pages::{Page, View},
    state::State,
    text::{clean, keep_end, keep_start, pad_right, width},
    theme::Role,
    units::{count, moment, percent, ratio, span},
};
use crate::{model::units::Bytes, query::QueryError};

/// The tabs, each with its key. When they do not fit, only the current one has its name.
pub(super) fn tabs(state: &State, canvas: &mut Canvas<'_>, area: Rect, hits: &mut Hits) {
    let room = usize::from(area.width);
    let views = state.tabs();
    let label = |view: View, named: bool| {
        let key = state
            .keys
            .keys_of(Action::View(view))
            .first()
            .map(ToString::to_string);
        let key = key.unwrap_or_default();
        if view == state.view {
            format!("[{key} {}]", view.title())
        } else if named {
            format!(" {key} {} ", view.title())
        } else {
            format!(" {key} ")
        }
    };
    let full: usize = views.iter().map(|view| width(&label(*view, true))).sum();
    let host = clean(&state.frame().host, state.theme.glyphs.ascii);
    let mut spans = Vec::new();
    let mut used = 0;
    for view in views {
        let text = keep_start(&label(view, full <= room), room - used, "");
        let role = if view == state.view {
            Role::Header
        } else {
            Role::Text
        };
        let columns = width(&text);
        let place = Rect::new(area.x + to_u16(used), area.y, to_u16(columns), 1);
        hits.push((place, Hit::View(view)));
        used += columns;
        spans.push(Span::styled(text, state.theme.style(role)));
    }
    let title = format!("sharestat {} {host}", state.theme.glyphs.dot);
    if used + 2 + width(&title) <= room {
        spans.push(Span::raw(" ".repeat(room - used - width(&title))));
        spans.push(Span::styled(title, state.theme.style(Role::Dim)));
    }
    line(canvas, area, Line::from(spans));
}

/// How old, how complete: the line that keeps the numbers honest.
pub(super) fn status(state: &State, now: Instant, room: usize) -> Line<'static> {
    let frame = state.frame();
    let age = span(now.saturating_duration_since(frame.taken));
    let mut facts: Vec<(String, Role)> = Vec::new();
    if state.frozen.is_some() {
        let key = state
            .keys
            .keys_of(Action::Freeze)
            .first()
            .map(ToString::to_string);
        let resume = key.map_or(String::new(), |key| format!(" ({key} resumes)"));
        facts.push((format!("FROZEN: data is {age} old{resume}"), Role::Banner));
    }
    let totals = &frame.totals;
    if !frame.is_measured() {
        facts.push((
            "starting: nothing is measured yet".to_owned(),
            Role::Warning,
        ));
        return joined(state, facts, room);
    }
    if let Some(playback) = &frame.playback {
        facts.push((replay(playback, state.theme.glyphs.ascii), Role::Header));
        if playback.cut.is_some() {
            facts.push(("recording was cut".to_owned(), Role::Bad));
        }
    }
    if let Census::Running { percent } = frame.census {
        facts.push((
            format!("census {percent} %, sums still grow"),
            Role::Warning,
        ));
    }
    // What makes the numbers doubtful comes before them.
    if frame.events_lost > 0 {
        let lost = count(frame.events_lost);
        facts.push((format!("{lost} events lost"), Role::Bad));
    }
    if state.frozen.is_none() && state.is_stale(now) {
        facts.push((format!("data is {age} old"), Role::Warning));
    }
    let size = |pages| state.units.show(Bytes::of_pages(pages).0);
    let duplicate = percent(ratio(totals.duplicate, totals.resident));
    facts.push((
        format!("{} duplicate ({duplicate})", size(totals.duplicate)),
        Role::Strong,
    ));
    let hashed = percent(ratio(totals.hashed, totals.resident));
    facts.push((
        format!("{hashed} of {} hashed", size(totals.resident)),
        Role::Text,
    ));
    facts.push((
        format!("own CPU {:.1} %", frame.cost.cpu_percent),
        Role::Dim,
    ));
    if frame.playback.is_none() {
        facts.push((format!("every {}", span(state.refresh)), Role::Dim));
    }
    joined(state, facts, room)
}

/// `replay at 12 s of 1 min 40 s ×2`.
fn replay(playback: &Playback, ascii: bool) -> String {
    // In tenths, or steps would not be seen.
    let at = moment(Duration::from_millis(playback.position_ms));
    let length = span(Duration::from_millis(playback.length_ms));
    let word = if playback.paused { "paused at" } else { "at" };
    let times = if ascii { "x" } else { "×" };
    let speed = if (playback.speed - 1.0).abs() < f64::EPSILON {
        String::new()
    } else {
        format!(" {times}{}", playback.speed)
    };
    format!("replay {word} {at} of {length}{speed}")
}

/// Facts as far as they fit; all of them on a banner when the picture is frozen.
fn joined(state: &State, facts: Vec<(String, Role)>, room: usize) -> Line<'static> {
    let dot = format!(" {} ", state.theme.glyphs.dot);
    let style = |role| {
        let frozen = state.frozen.is_some();
        state.theme.style(if frozen { Role::Banner } else { role })
    };
    let mut spans = vec![Span::styled(" ", style(Role::Text))];
    let mut used = 1;
    for (position, (text, role)) in facts.into_iter().enumerate() {
        let before = if position == 0 { "" } else { &dot };
        if position > 0 && used + width(before) + width(&text) > room {
            continue;
        }
        used += width(before) + width(&text);
        spans.push(Span::styled(before.to_owned(), style(Role::Dim)));
        spans.push(Span::styled(text, style(role)));
    }
    spans.push(Span::styled(
        pad_right("", room.saturating_sub(used)),
        style(Role::Text),
    ));
    Line::from(spans)
}

/// A message while there is one, else keys of the actions that apply here.
pub(super) fn footer(state: &State, room: usize) -> Line<'static> {
    let glyphs = state.theme.glyphs;
    let style = |role| state.theme.style(role);
    if let Some(message) = &state.message {
        let text = format!(" {}", clean(&message.text, glyphs.ascii));
        return Line::styled(keep_start(&text, room, glyphs.cut), style(message.role));
    }
    let table = state.page().table().is_some();
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1;
    for spec in ACTIONS {
        let applies = match (spec.group, spec.action) {
            _ if state.overlay.is_some() => matches!(spec.action, Action::Open | Action::Back),
            (_, Action::Back) => state.steps.len() > 1,
            (_, Action::Tree) => state.page().has_tree() || matches!(state.page(), Page::Tree(_)),
            (Group::Table, _) => table,
            (Group::Replay, action) => state.lists(action),
            (Group::General | Group::Views | Group::Moving | Group::Display, _) => true,
        };
        let keys = state.keys.keys_of(spec.action);
        let (Some(word), Some(key), true) = (spec.footer, keys.first(), applies) else {
            continue;
        };
        let word = match &state.overlay {
            Some(Overlay::Help { .. }) if spec.action == Action::Open => continue,
            Some(_) if spec.action == Action::Open => "Choose",
            Some(_) => "Close",
            None => word,
        };
        let key = key.to_string();
        let columns = width(&key) + width(word) + 3;
        if used + columns > room {
            continue;
        }
        used += columns;
        spans.push(Span::styled(key, style(Role::Key)));
        spans.push(Span::raw(format!(" {word}  ")));
    }
    Line::from(spans)
}

/// The text being typed, its end always in sight.
pub(super) fn filter_prompt(state: &State, typed: &str, room: u16) -> Line<'static> {
    let glyphs = state.theme.glyphs;
    let room = usize::from(room).saturating_sub(9);
    let text = keep_end(&clean(typed, glyphs.ascii), room, glyphs.cut);
    Line::from(vec![
        Span::styled("filter: ", state.theme.style(Role::Key)),
        Span::raw(text),
        Span::styled(" ", state.theme.style(Role::Selected)),
    ])
}

/// What is wrong with the filter, and the part that is meant.
pub(super) fn filter_error(
    state: &State,
    typed: &str,
    error: &QueryError,
    room: u16,
) -> Line<'static> {
    let glyphs = state.theme.glyphs;
    let part = typed.get(error.place.clone()).unwrap_or_default();
    let text = if part.is_empty() {
        format!(" at the end: {}", error.message)
    } else {
        format!(" at '{part}', column {}: {}", error.column(), error.message)
    };
    let text = keep_start(&clean(&text, glyphs.ascii), usize::from(room), glyphs.cut);
    Line::styled(text, state.theme.style(Role::Bad))
}

fn to_u16(columns: usize) -> u16 {
    u16::try_from(columns).unwrap_or(u16::MAX)
}

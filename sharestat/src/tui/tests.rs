//! Screens as text and style per cell, and that no key on any screen size panics.

mod behaviour;
mod replay;
mod robust;
mod screens;
mod tree;

use std::{sync::Arc, time::Duration, time::Instant};

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    layout::Size,
};

use super::{
    draw::{Hits, draw},
    fixture,
    frame::{Command, Frame, Playback},
    keys::{Key, KeyMap},
    state::{Effect, State},
    theme::Theme,
};

fn state(frame: Frame, theme: Theme) -> State {
    State::new(
        theme,
        KeyMap::default(),
        Duration::from_secs(1),
        Arc::new(frame),
    )
}

fn plain() -> State {
    state(fixture::troubled(), Theme::new(true, false))
}

/// A frame of a recording that is played.
fn playing() -> Frame {
    Frame {
        playback: Some(Playback {
            position_ms: 12_000,
            length_ms: 100_000,
            speed: 2.0,
            paused: false,
            cut: Some("cut after 7 complete blocks".to_owned()),
        }),
        ..fixture::troubled()
    }
}

/// What the collector is asked for.
fn sent(state: &mut State) -> Vec<Command> {
    let effects = state.take_effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Send(command) => Some(command),
            _ => None,
        })
        .collect()
}

fn event(key: Key) -> KeyEvent {
    let modifiers = if key.control {
        KeyModifiers::CONTROL
    } else {
        KeyModifiers::NONE
    };
    KeyEvent::new(key.code, modifiers)
}

fn press(state: &mut State, key: Key) {
    state.key(event(key), state.latest.taken);
}

fn type_text(state: &mut State, text: &str) {
    text.chars()
        .for_each(|letter| press(state, Key::char(letter)));
}

fn enter(state: &mut State) {
    press(state, Key::plain(KeyCode::Enter));
}

/// Prepares and draws at a size, half a second after the frame was taken.
fn paint(state: &mut State, width: u16, height: u16) -> (Buffer, Hits) {
    let now = state.frame().taken + Duration::from_millis(500);
    paint_at(state, width, height, now)
}

fn paint_at(state: &mut State, width: u16, height: u16, now: Instant) -> (Buffer, Hits) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("test backend");
    let mut hits = Hits::new();
    state.prepare(Size::new(width, height));
    terminal
        .draw(|canvas| hits = draw(state, canvas, now))
        .expect("drawn");
    (terminal.backend().buffer().clone(), hits)
}

fn text(buffer: &Buffer) -> String {
    let rows = (0..buffer.area.height).map(|y| row(buffer, y).trim_end().to_owned());
    rows.collect::<Vec<_>>().join("\n")
}

fn row(buffer: &Buffer, y: u16) -> String {
    let mut line = String::new();
    let mut x = 0;
    while x < buffer.area.width {
        let symbol = buffer[(x, y)].symbol();
        line.push_str(symbol);
        x += u16::try_from(super::text::width(symbol))
            .unwrap_or(1)
            .max(1);
    }
    line
}

/// Runs of equal style in each row: `from..to colours attributes`.
fn styles(buffer: &Buffer) -> String {
    let mut lines = Vec::new();
    for y in 0..buffer.area.height {
        let style = |x| {
            let cell = &buffer[(x, y)];
            (cell.fg, cell.bg, cell.modifier)
        };
        let mut runs = Vec::new();
        let mut start = 0;
        for x in 1..=buffer.area.width {
            if x < buffer.area.width && style(x) == style(start) {
                continue;
            }
            let (fg, bg, modifier) = style(start);
            let plain = ratatui::style::Color::Reset;
            if (fg, bg) != (plain, plain) || !modifier.is_empty() {
                runs.push(format!("{start}..{x} {fg}/{bg} {modifier:?}"));
            }
            start = x;
        }
        lines.push(format!("{y:3}: {}", runs.join(", ")).trim_end().to_owned());
    }
    lines.join("\n")
}

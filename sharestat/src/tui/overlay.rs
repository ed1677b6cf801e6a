//! What lies over a page and takes the keys: help, sort menu, palette, filter prompt.

use ratatui::crossterm::event::KeyCode;

use super::{
    actions::{ACTIONS, Action},
    columns::Column,
    keys::Key,
};
use crate::query::QueryError;

/// What lies over the page.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The help, scrolled down by so many lines.
    Help {
        /// First line shown.
        top: usize,
    },
    /// Choice of the column to sort by.
    Sort {
        /// Position in the table's columns.
        selected: usize,
    },
    /// Commands by name.
    Palette {
        /// What was typed.
        input: Input,
        /// Position in [`palette_entries`].
        selected: usize,
    },
    /// The filter being edited; each text that is a query is applied at once.
    Filter {
        /// What was typed.
        input: Input,
        /// What is wrong with it.
        error: Option<QueryError>,
    },
}

/// What an overlay asks for after a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Nothing: it stays.
    Stay,
    /// To be closed.
    Close,
    /// To be closed, and this run.
    Run(Action),
    /// To be closed, and sorted by this.
    Sort(Column),
    /// The filter to follow this text while it is typed.
    Preview(String),
    /// The filter to be this text, and to be closed if it is one.
    Filter(String),
}

impl Overlay {
    /// Takes a key. `bound` is what the key map says about it, `columns` those of the
    /// table below.
    pub fn key(&mut self, key: Key, bound: Option<Action>, columns: &[Column]) -> Request {
        match self {
            Self::Help { top } => help_key(top, key, bound),
            Self::Sort { selected } => sort_key(selected, key, bound, columns),
            Self::Palette { input, selected } => palette_key(input, selected, key),
            Self::Filter { input, .. } => match key.code {
                KeyCode::Enter => Request::Filter(input.text.clone()),
                KeyCode::Esc => {
                    input.text.clear();
                    Request::Filter(String::new())
                }
                _ if input.key(key) => Request::Preview(input.text.clone()),
                _ => Request::Stay,
            },
        }
    }
}

fn help_key(top: &mut usize, key: Key, bound: Option<Action>) -> Request {
    match bound {
        Some(Action::Up) => *top = top.saturating_sub(1),
        Some(Action::Down) => *top = top.saturating_add(1),
        Some(Action::PageUp | Action::HalfUp) => *top = top.saturating_sub(10),
        Some(Action::PageDown | Action::HalfDown) => *top = top.saturating_add(10),
        Some(Action::First) => *top = 0,
        Some(Action::Last) => *top = usize::MAX,
        Some(Action::Help | Action::Back | Action::Quit | Action::Open) => return Request::Close,
        _ if key.code == KeyCode::Esc => return Request::Close,
        _ => {}
    }
    Request::Stay
}

fn sort_key(selected: &mut usize, key: Key, bound: Option<Action>, columns: &[Column]) -> Request {
    let letter = columns
        .iter()
        .find(|column| key == Key::char(column.spec().letter));
    if let Some(column) = letter {
        return Request::Sort(*column);
    }
    let last = columns.len().saturating_sub(1);
    match bound {
        Some(Action::Up) => *selected = selected.saturating_sub(1),
        Some(Action::Down) => *selected = (*selected + 1).min(last),
        Some(Action::First) => *selected = 0,
        Some(Action::Last) => *selected = last,
        Some(Action::Open) => {
            return columns
                .get(*selected)
                .map_or(Request::Close, |column| Request::Sort(*column));
        }
        Some(Action::Invert) => return Request::Run(Action::Invert),
        Some(Action::Back | Action::SortMenu | Action::Quit) => return Request::Close,
        _ if key.code == KeyCode::Esc => return Request::Close,
        _ => {}
    }
    Request::Stay
}

fn palette_key(input: &mut Input, selected: &mut usize, key: Key) -> Request {
    let entries = palette_entries(&input.text);
    match key.code {
        KeyCode::Esc => return Request::Close,
        KeyCode::Enter => {
            return entries
                .get(*selected)
                .map_or(Request::Stay, |action| Request::Run(*action));
        }
        KeyCode::Up => *selected = selected.saturating_sub(1),
        KeyCode::Down => *selected = (*selected + 1).min(entries.len().saturating_sub(1)),
        _ if input.key(key) => *selected = 0,
        _ => {}
    }
    Request::Stay
}

/// Actions that the palette offers for what was typed: names that begin with it, names
/// that contain it, then descriptions that do.
#[must_use]
pub fn palette_entries(typed: &str) -> Vec<Action> {
    let typed = typed.trim().to_lowercase();
    let rank = |action: Action| {
        let spec = action.spec();
        if spec.name.starts_with(&typed) {
            Some(0)
        } else if spec.name.contains(&typed) {
            Some(1)
        } else {
            spec.help.to_lowercase().contains(&typed).then_some(2)
        }
    };
    let mut entries: Vec<(u8, Action)> = ACTIONS
        .iter()
        .filter(|spec| spec.action != Action::Palette)
        .filter_map(|spec| rank(spec.action).map(|rank| (rank, spec.action)))
        .collect();
    entries.sort_by_key(|(rank, _)| *rank);
    entries.into_iter().map(|(_, action)| action).collect()
}

/// One line of typed text, edited at its end.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The text.
    pub text: String,
}

impl Input {
    /// Longer input is not taken: it would be a paste by mistake.
    const LONGEST: usize = 500;

    /// Takes a key; whether the text changed.
    fn key(&mut self, key: Key) -> bool {
        let before = self.text.len();
        match (key.control, key.code) {
            (false, KeyCode::Char(letter)) if before < Self::LONGEST && !letter.is_control() => {
                self.text.push(letter);
            }
            (_, KeyCode::Backspace) => {
                self.text.pop();
            }
            (true, KeyCode::Char('u')) => self.text.clear(),
            (true, KeyCode::Char('w')) => {
                let kept = self.text.trim_end();
                let start = kept.rfind(' ').map_or(0, |blank| blank + 1);
                self.text.truncate(start);
            }
            _ => {}
        }
        self.text.len() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_prefers_names_and_finds_descriptions() {
        assert_eq!(
            palette_entries("files")[0],
            Action::View(super::super::pages::View::Files)
        );
        assert_eq!(palette_entries("sort")[0], Action::SortMenu);
        assert!(palette_entries("background").contains(&Action::Suspend));
        assert_eq!(palette_entries("").len(), ACTIONS.len() - 1);
    }

    #[test]
    fn input_is_edited_at_its_end() {
        let mut input = Input::default();
        for letter in "dup>1 fs=xfs".chars() {
            assert!(input.key(Key::char(letter)));
        }
        assert!(input.key(Key::control('w')));
        assert_eq!(input.text, "dup>1 ");
        assert!(input.key(Key::plain(KeyCode::Backspace)));
        assert!(input.key(Key::control('u')));
        assert!(!input.key(Key::plain(KeyCode::Backspace)));
    }
}

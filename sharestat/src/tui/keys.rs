//! Keys and what they do: parsing and printing of key names, and the key map.

use std::{collections::HashMap, fmt, str::FromStr};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::actions::{ACTIONS, Action};

/// A key press. Shift is part of the character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The key.
    pub code: KeyCode,
    /// Whether control was held.
    pub control: bool,
}

impl Key {
    /// A key without control.
    #[must_use]
    pub const fn plain(code: KeyCode) -> Self {
        Self {
            code,
            control: false,
        }
    }

    /// A character.
    #[must_use]
    pub const fn char(letter: char) -> Self {
        Self::plain(KeyCode::Char(letter))
    }

    /// A character with control held.
    #[must_use]
    pub const fn control(letter: char) -> Self {
        Self {
            code: KeyCode::Char(letter),
            control: true,
        }
    }
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        Self {
            code: event.code,
            control: event.modifiers.contains(KeyModifiers::CONTROL),
        }
    }
}

/// Keys with a name; characters other than these name themselves.
const NAMES: [(KeyCode, &str); 15] = [
    (KeyCode::Char(' '), "Space"),
    (KeyCode::Enter, "Enter"),
    (KeyCode::Esc, "Esc"),
    (KeyCode::Backspace, "Backspace"),
    (KeyCode::Delete, "Del"),
    (KeyCode::Tab, "Tab"),
    (KeyCode::BackTab, "Shift-Tab"),
    (KeyCode::Up, "Up"),
    (KeyCode::Down, "Down"),
    (KeyCode::Left, "Left"),
    (KeyCode::Right, "Right"),
    (KeyCode::Home, "Home"),
    (KeyCode::End, "End"),
    (KeyCode::PageUp, "PgUp"),
    (KeyCode::PageDown, "PgDn"),
];

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.control {
            formatter.write_str("Ctrl-")?;
        }
        if let Some((_, name)) = NAMES.iter().find(|(code, _)| *code == self.code) {
            return formatter.write_str(name);
        }
        match self.code {
            KeyCode::Char(letter) => write!(formatter, "{letter}"),
            KeyCode::F(number) => write!(formatter, "F{number}"),
            other => write!(formatter, "{other}"),
        }
    }
}

/// A key name or a binding that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No such key.
    #[error("'{0}' is no key: write one like 'q', 'Ctrl-l', 'F6', 'PgUp' or 'Space'")]
    Unknown(String),
    /// No such action.
    #[error("there is no action '{0}': 'top' lists them under '?'")]
    NoAction(String),
    /// Two actions want one key.
    #[error("key '{key}' is wanted by '{first}' and by '{second}': give it to one of them")]
    Double {
        /// The key.
        key: String,
        /// One action.
        first: &'static str,
        /// The other one.
        second: &'static str,
    },
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let unknown = || KeyError::Unknown(text.to_owned());
        let (control, name) = match text.get(..5) {
            Some(prefix) if prefix.eq_ignore_ascii_case("ctrl-") => (true, &text[5..]),
            _ => (false, text),
        };
        if let Some((code, _)) = NAMES
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name))
        {
            return Ok(Self {
                code: *code,
                control,
            });
        }
        let mut letters = name.chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            let letter = if control {
                letter.to_ascii_lowercase()
            } else {
                letter
            };
            return Ok(Self {
                code: KeyCode::Char(letter),
                control,
            });
        }
        let number = name.strip_prefix(['F', 'f']).ok_or_else(unknown)?;
        match number.parse() {
            Ok(number @ 1..=12) => Ok(Self {
                code: KeyCode::F(number),
                control,
            }),
            _ => Err(unknown()),
        }
    }
}

/// Which key does what.
#[derive(Clone, Debug)]
pub struct KeyMap {
    keys: HashMap<Key, Action>,
}

impl Default for KeyMap {
    fn default() -> Self {
        let bindings = ACTIONS.iter();
        let keys = bindings.flat_map(|spec| spec.keys.iter().map(|key| (*key, spec.action)));
        Self {
            keys: keys.collect(),
        }
    }
}

impl KeyMap {
    /// The standard keys with changes, as a configuration file gives them: each named
    /// action gets exactly the keys listed.
    ///
    /// # Errors
    /// On unknown names, and when two actions would have the same key.
    pub fn with_changes<'a>(
        changes: impl IntoIterator<Item = (&'a str, Vec<&'a str>)>,
    ) -> Result<Self, KeyError> {
        let mut map = Self::default();
        let mut wanted = Vec::new();
        for (name, keys) in changes {
            let action = Action::named(name).ok_or_else(|| KeyError::NoAction(name.to_owned()))?;
            map.keys.retain(|_, bound| *bound != action);
            for key in keys {
                wanted.push((key.parse::<Key>()?, action));
            }
        }
        for (key, action) in wanted {
            match map.keys.insert(key, action) {
                Some(other) if other != action => {
                    return Err(KeyError::Double {
                        key: key.to_string(),
                        first: other.spec().name,
                        second: action.spec().name,
                    });
                }
                _ => {}
            }
        }
        Ok(map)
    }

    /// What a key does.
    #[must_use]
    pub fn action(&self, key: Key) -> Option<Action> {
        self.keys.get(&key).copied()
    }

    /// Keys of an action: the table's own order first, added ones after.
    #[must_use]
    pub fn keys_of(&self, action: Action) -> Vec<Key> {
        let own = action.spec().keys;
        let mut keys: Vec<Key> = self
            .keys
            .iter()
            .filter(|(_, bound)| **bound == action)
            .map(|(key, _)| *key)
            .collect();
        keys.sort_by_key(|key| {
            let position = own.iter().position(|known| known == key);
            (position.unwrap_or(usize::MAX), key.to_string())
        });
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_keys_read_back() {
        for spec in ACTIONS {
            for key in spec.keys {
                assert_eq!(key.to_string().parse(), Ok(*key));
            }
        }
        assert_eq!("ctrl-L".parse(), Ok(Key::control('l')));
        for wrong in ["", "F0", "F13", "Ctrl-", "foo", "Fx"] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn changes_replace_keys_and_refuse_doubles() {
        let map = KeyMap::with_changes([("quit", vec!["Q"])]).expect("Q is free");
        assert_eq!(map.action(Key::char('Q')), Some(Action::Quit));
        assert_eq!(map.action(Key::char('q')), None);
        assert_eq!(map.keys_of(Action::Quit), [Key::char('Q')]);
        let double = KeyMap::with_changes([("quit", vec!["f"])]).expect_err("f is taken");
        assert!(matches!(double, KeyError::Double { .. }));
        let swapped = KeyMap::with_changes([("quit", vec!["f"]), ("freeze", vec!["q"])]);
        assert_eq!(
            swapped.expect("swapped").action(Key::char('f')),
            Some(Action::Quit)
        );
        assert!(KeyMap::with_changes([("fly", vec!["f"])]).is_err());
    }
}

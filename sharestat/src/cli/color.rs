//! Whether to use colour: `--color` decides, then `NO_COLOR` and `CLICOLOR_FORCE`
//! (no-color.org, bixense.com/clicolors), then whether stdout is a terminal.

use std::{env, ffi::OsString, io::IsTerminal};

use clap::{ColorChoice, ValueEnum};

/// The choice of `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless the environment says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether output that goes to stdout is styled.
    #[must_use]
    pub fn on_stdout(self) -> bool {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        self.decide(
            env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            set("CLICOLOR_FORCE"),
            std::io::stdout().is_terminal(),
        )
    }

    const fn decide(self, no_color: bool, forced: bool, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => !no_color && (forced || terminal),
        }
    }
}

/// `--color` for clap's own help and errors, which come before arguments are parsed.
pub(super) fn before_parsing(arguments: &[OsString]) -> ColorChoice {
    let mut choice = ColorChoice::Auto;
    let pairs = arguments
        .iter()
        .zip(arguments.iter().skip(1).map(Some).chain([None]));
    for (argument, next) in pairs {
        let value = match argument.to_str() {
            Some("--color") => next.and_then(|value| value.to_str()),
            Some(text) => text.strip_prefix("--color="),
            None => None,
        };
        choice = match value {
            Some("always") => ColorChoice::Always,
            Some("never") => ColorChoice::Never,
            _ => choice,
        };
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_beats_the_environment_and_the_environment_beats_the_terminal() {
        assert!(Color::Always.decide(true, false, false));
        assert!(!Color::Never.decide(false, true, true));
        assert!(!Color::Auto.decide(true, true, true));
        assert!(Color::Auto.decide(false, true, false));
        assert!(Color::Auto.decide(false, false, true));
        assert!(!Color::Auto.decide(false, false, false));
    }

    #[test]
    fn both_spellings_are_seen_before_parsing() {
        let words = |text: &str| -> Vec<OsString> { text.split(' ').map(OsString::from).collect() };
        assert_eq!(
            before_parsing(&words("s scan --color never")),
            ColorChoice::Never
        );
        assert_eq!(
            before_parsing(&words("s --color=always scan")),
            ColorChoice::Always
        );
        assert_eq!(before_parsing(&words("s scan --color")), ColorChoice::Auto);
    }
}

//! Colours, text attributes and glyphs. Every meaning also has a sign, a word or an
//! attribute, so that monochrome loses nothing.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Less important text.
    Dim,
    /// Name of a section.
    Title,
    /// Column header, current tab.
    Header,
    /// Header of the column sorted by.
    Sorted,
    /// The row under the cursor.
    Selected,
    /// An important number.
    Strong,
    /// Fine.
    Good,
    /// Incomplete or degraded.
    Warning,
    /// Lost or broken.
    Bad,
    /// A bar or sparkline.
    Bar,
    /// A key to press.
    Key,
    /// Banner over everything.
    Banner,
}

/// Characters that draw lines, bars and signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Whether only ASCII may appear on the screen.
    pub ascii: bool,
    /// Shows that text was cut.
    pub cut: &'static str,
    /// Eight steps of a horizontal bar, the last one a full cell.
    pub bar: &'static [&'static str],
    /// Eight steps of a sparkline.
    pub spark: [&'static str; 8],
    /// Largest first.
    pub descending: &'static str,
    /// Smallest first.
    pub ascending: &'static str,
    /// Before the row under the cursor.
    pub cursor: &'static str,
    /// Before a branch that is folded.
    pub folded: &'static str,
    /// Before one that is unfolded.
    pub unfolded: &'static str,
    /// Between facts of one line.
    pub dot: &'static str,
    /// Between the steps of a drill-down.
    pub into: &'static str,
    /// Under section titles and round windows.
    pub line: &'static str,
    /// Sides of windows.
    pub side: &'static str,
    /// Corners of windows from top left clockwise.
    pub corners: [&'static str; 4],
}

static UNICODE: Glyphs = Glyphs {
    ascii: false,
    cut: "…",
    bar: &["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    spark: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    descending: "▼",
    ascending: "▲",
    cursor: "▶",
    folded: "▸",
    unfolded: "▾",
    dot: "·",
    into: "›",
    line: "─",
    side: "│",
    corners: ["┌", "┐", "┘", "└"],
};

static ASCII: Glyphs = Glyphs {
    ascii: true,
    cut: "~",
    bar: &["#"],
    spark: ["_", ".", "-", "=", "o", "O", "X", "#"],
    descending: "v",
    ascending: "^",
    cursor: ">",
    folded: "+",
    unfolded: "-",
    dot: "-",
    into: ">",
    line: "-",
    side: "|",
    corners: ["+", "+", "+", "+"],
};

/// How everything looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Whether colours are used: the terminal's own 16, else attributes alone.
    pub colour: bool,
    /// Characters.
    pub glyphs: &'static Glyphs,
}

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourChoice {
    /// As the environment says.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Theme {
    /// Sixteen colours and Unicode, or less.
    #[must_use]
    pub const fn new(colour: bool, ascii: bool) -> Self {
        Self {
            colour,
            glyphs: if ascii { &ASCII } else { &UNICODE },
        }
    }

    /// What the options and the environment ask for. An explicit option wins, then
    /// `NO_COLOR` (not empty), then `CLICOLOR_FORCE` (neither empty nor `0`), then
    /// `CLICOLOR=0` and `TERM=dumb`. ASCII when asked for or when the locale's
    /// character set is not UTF-8.
    #[must_use]
    pub fn detect(
        choice: ColourChoice,
        ascii: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let colour = match choice {
            ColourChoice::Always => true,
            ColourChoice::Never => false,
            ColourChoice::Auto if set("NO_COLOR").is_some() => false,
            ColourChoice::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            ColourChoice::Auto => {
                set("CLICOLOR").is_none_or(|value| value != "0")
                    && set("TERM").is_none_or(|term| term != "dumb")
            }
        };
        // The first of these that is set decides (locale(7)). None set is the C locale,
        // but over sudo and in containers that says little about the terminal.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let utf8 = locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self::new(colour, ascii || !utf8)
    }

    /// The style of a role.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        let plain = Style::new();
        if self.colour {
            return match role {
                Role::Text => plain,
                Role::Dim => plain.fg(Color::DarkGray),
                Role::Title => plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
                Role::Header => plain.fg(Color::Black).bg(Color::Gray),
                Role::Sorted => plain
                    .fg(Color::Black)
                    .bg(Color::Cyan)
                    .add_modifier(Modifier::BOLD),
                Role::Selected => plain.add_modifier(Modifier::REVERSED),
                Role::Strong => plain.add_modifier(Modifier::BOLD),
                Role::Good => plain.fg(Color::Green),
                Role::Warning => plain.fg(Color::Yellow),
                Role::Bad => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
                Role::Bar => plain.fg(Color::Blue),
                Role::Key => plain.fg(Color::Cyan),
                Role::Banner => plain.fg(Color::Black).bg(Color::Yellow),
            };
        }
        match role {
            Role::Text | Role::Good | Role::Bar => plain,
            Role::Dim => plain.add_modifier(Modifier::DIM),
            Role::Header | Role::Warning => plain.add_modifier(Modifier::UNDERLINED),
            Role::Sorted => plain.add_modifier(Modifier::UNDERLINED | Modifier::BOLD),
            Role::Selected | Role::Banner => plain.add_modifier(Modifier::REVERSED),
            Role::Title | Role::Strong | Role::Key | Role::Bad => {
                plain.add_modifier(Modifier::BOLD)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(choice: ColourChoice, variables: &[(&str, &str)]) -> bool {
        detect(choice, variables).colour
    }

    fn detect(choice: ColourChoice, variables: &[(&str, &str)]) -> Theme {
        Theme::detect(choice, false, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_decides_unless_told() {
        let auto = ColourChoice::Auto;
        assert!(colour(auto, &[]));
        assert!(!colour(auto, &[("NO_COLOR", "1")]));
        assert!(colour(auto, &[("NO_COLOR", "")]));
        assert!(!colour(auto, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
        assert!(colour(auto, &[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")]));
        assert!(!colour(auto, &[("TERM", "dumb"), ("CLICOLOR_FORCE", "0")]));
        assert!(!colour(auto, &[("CLICOLOR", "0")]));
        assert!(colour(ColourChoice::Always, &[("NO_COLOR", "1")]));
        assert!(!colour(ColourChoice::Never, &[("CLICOLOR_FORCE", "1")]));
    }

    #[test]
    fn a_locale_without_utf8_means_ascii() {
        let ascii = |variables: &[_]| detect(ColourChoice::Auto, variables).glyphs.ascii;
        assert!(ascii(&[("LANG", "C")]));
        assert!(!ascii(&[("LANG", "C.UTF-8")]));
        assert!(ascii(&[("LANG", "C.UTF-8"), ("LC_ALL", "POSIX")]));
        assert!(!ascii(&[]));
    }
}

//! The one table of actions: keys, help, footer, command palette and the names in a
//! configuration file all come from it.

use ratatui::crossterm::event::KeyCode;

use super::{frame::Play, keys::Key, pages::View};

/// Something that a key press, a palette entry or the mouse can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Leave.
    Quit,
    /// Show or hide the help.
    Help,
    /// Open the command palette.
    Palette,
    /// Show a view.
    View(View),
    /// Show layers against layers.
    LayerMap,
    /// The next tab.
    NextView,
    /// The tab before.
    PreviousView,
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One screen up.
    PageUp,
    /// One screen down.
    PageDown,
    /// Half a screen up.
    HalfUp,
    /// Half a screen down.
    HalfDown,
    /// First row.
    First,
    /// Last row.
    Last,
    /// Drill down.
    Open,
    /// Back up.
    Back,
    /// Menu of columns to sort by.
    SortMenu,
    /// Sort by the column to the left.
    SortLeft,
    /// Sort by the column to the right.
    SortRight,
    /// Turn the order round.
    Invert,
    /// Edit the filter.
    Filter,
    /// List or tree.
    Tree,
    /// Fold all branches of a tree.
    FoldAll,
    /// Unfold the row and all below it.
    UnfoldAll,
    /// Keep the cursor on its row.
    Follow,
    /// Stop or resume the picture.
    Freeze,
    /// Next units.
    Units,
    /// Shares or bytes.
    Share,
    /// Refresh more often.
    Faster,
    /// Refresh less often.
    Slower,
    /// Measure and draw now.
    Refresh,
    /// Write the frame to a file.
    Write,
    /// Mouse on or off.
    Mouse,
    /// Put the program into the background.
    Suspend,
    /// Move about in a recording.
    Play(Play),
}

/// Where the help lists an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Program.
    General,
    /// Choice of view.
    Views,
    /// Moving about.
    Moving,
    /// Only where a table is.
    Table,
    /// How things are shown.
    Display,
    /// Only while a recording is played.
    Replay,
}

impl Group {
    /// All groups in the order of the help.
    pub const ALL: [Self; 6] = [
        Self::General,
        Self::Views,
        Self::Moving,
        Self::Table,
        Self::Display,
        Self::Replay,
    ];

    /// Heading in the help.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::General => "General",
            Self::Views => "Views",
            Self::Moving => "Moving",
            Self::Table => "Tables",
            Self::Display => "Display",
            Self::Replay => "Replay",
        }
    }
}

/// What there is to know about an action.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The action.
    pub action: Action,
    /// Name in the palette and in a configuration file.
    pub name: &'static str,
    /// Standard keys.
    pub keys: &'static [Key],
    /// Where it is listed.
    pub group: Group,
    /// Word in the footer, for the few that are there.
    pub footer: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

const fn spec(
    action: Action,
    name: &'static str,
    keys: &'static [Key],
    group: Group,
    footer: Option<&'static str>,
    help: &'static str,
) -> Spec {
    Spec {
        action,
        name,
        keys,
        group,
        footer,
        help,
    }
}

const fn c(letter: char) -> Key {
    Key::char(letter)
}

const fn k(code: KeyCode) -> Key {
    Key::plain(code)
}

const fn ctrl(letter: char) -> Key {
    Key::control(letter)
}

use Action as A;
use Group::{Display, General, Moving, Replay, Table, Views};

/// All actions, in the order of help and footer.
#[rustfmt::skip]
pub const ACTIONS: &[Spec] = &[
    spec(A::Help, "help", &[c('?'), k(KeyCode::F(1))], General, Some("Help"),
        "show or hide this help"),
    spec(A::Quit, "quit", &[c('q'), ctrl('c'), k(KeyCode::F(10))], General, Some("Quit"), "leave"),
    spec(A::Palette, "palette", &[c(':')], General, Some("Commands"),
        "run any of these by its name"),
    spec(A::Suspend, "suspend", &[ctrl('z')], General, None, "put sharestat into the background"),
    spec(A::Open, "open", &[k(KeyCode::Enter)], Table, Some("Open"),
        "go into the row: image, layer or filesystem to its files, file to its copies, cgroup to its container; fold or unfold a branch"),
    spec(A::Back, "back", &[k(KeyCode::Esc), k(KeyCode::Backspace)], Moving, Some("Back"),
        "go back to where the row was opened; elsewhere clear the filter"),
    spec(A::Filter, "filter", &[c('/'), k(KeyCode::F(4))], Table, Some("Filter"),
        "show only rows that match, such as dup>10MiB path~python not fs=xfs; Enter keeps, Esc clears"),
    spec(A::SortMenu, "sort", &[c('s'), k(KeyCode::F(6))], Table, Some("Sort"),
        "choose the column to sort by"),
    spec(A::Invert, "invert", &[c('I')], Table, Some("Invert"), "turn the order round"),
    spec(A::SortLeft, "sort-left", &[k(KeyCode::Left), c('h')], Table, None,
        "sort by the column to the left"),
    spec(A::SortRight, "sort-right", &[k(KeyCode::Right), c('l')], Table, None,
        "sort by the column to the right"),
    spec(A::Tree, "tree", &[c('t')], Table, Some("Tree"),
        "the list as a tree of groups, layers, directories and files, with sums; or as a list"),
    spec(A::UnfoldAll, "unfold-all", &[c('*')], Table, None,
        "in a tree: unfold the row and all below it"),
    spec(A::FoldAll, "fold-all", &[c('z')], Table, None, "in a tree: fold everything"),
    spec(A::Follow, "follow", &[c('F')], Table, None, "keep the cursor on its row while rows move"),
    spec(A::Play(Play::Pause), "pause", &[c('p')], Replay, Some("Pause"),
        "stop the recording, or go on"),
    spec(A::Play(Play::Seek(-10)), "seek-back", &[c('(')], Replay, Some("Back 10 s"),
        "ten seconds back"),
    spec(A::Play(Play::Seek(10)), "seek", &[c(')')], Replay, Some("On 10 s"), "ten seconds on"),
    spec(A::Play(Play::Seek(-60)), "seek-back-far", &[c('{')], Replay, None, "a minute back"),
    spec(A::Play(Play::Seek(60)), "seek-far", &[c('}')], Replay, None, "a minute on"),
    spec(A::Play(Play::Step), "step", &[c('.')], Replay, None, "stop at the next recorded moment"),
    spec(A::Play(Play::StepBack), "step-back", &[c(',')], Replay, None,
        "stop at the recorded moment before"),
    spec(A::Play(Play::Start), "restart", &[c('0')], Replay, None,
        "back to where the first census was done"),
    spec(A::Play(Play::Faster), "play-faster", &[c('+'), c('=')], Replay, Some("Faster"),
        "play twice as fast"),
    spec(A::Play(Play::Slower), "play-slower", &[c('-')], Replay, None, "play half as fast"),
    spec(A::Freeze, "freeze", &[c('f'), c('Z')], Display, Some("Freeze"),
        "stop the picture, or resume; measuring goes on"),
    spec(A::Units, "units", &[c('u')], Display, Some("Units"),
        "binary units, decimal units, pages, bytes"),
    spec(A::Share, "share", &[c('%')], Display, Some("Share"),
        "shares instead of bytes: resident and charged of the page cache, the rest of the row's own resident bytes"),
    spec(A::Faster, "faster", &[c('<')], Display, None, "refresh more often"),
    spec(A::Slower, "slower", &[c('>')], Display, None, "refresh less often"),
    spec(A::Refresh, "refresh", &[ctrl('l'), k(KeyCode::F(5))], Display, None,
        "measure now and draw the whole screen again"),
    spec(A::Write, "write", &[c('w')], Display, Some("Write"),
        "write the frame on the screen to a JSON file"),
    spec(A::Mouse, "mouse", &[c('m')], Display, None,
        "mouse on or off (off leaves selecting text to the terminal)"),
    spec(A::View(View::Overview), "overview", &[c('1')], Views, None,
        "sums, savings, rates, coverage, cost"),
    spec(A::View(View::Files), "files", &[c('2')], Views, None, "files, those first that sharing would save most of"),
    spec(A::View(View::Layers), "layers", &[c('3')], Views, None, "overlay layers"),
    spec(A::View(View::Images), "images", &[c('4')], Views, None, "container images"),
    spec(A::View(View::Containers), "containers", &[c('5')], Views, None, "containers"),
    spec(A::View(View::Memcgs), "cgroups", &[c('c')], Views, None,
        "memory cgroups by what they are charged"),
    spec(A::View(View::Filesystems), "filesystems", &[c('6')], Views, None, "filesystems"),
    spec(A::View(View::Events), "events", &[c('7')], Views, None, "live rates and distributions"),
    spec(A::View(View::Health), "health", &[c('8')], Views, None,
        "hooks, counters, what is not covered"),
    spec(A::View(View::Derefs), "derefs", &[c('9')], Views, None,
        "code that touches folio->mapping, when 'top' was given a result of 'derefs'"),
    spec(A::LayerMap, "layer-map", &[c('x')], Views, None,
        "layers against layers: a map of the duplicates that two of them cause"),
    spec(A::NextView, "next-view", &[k(KeyCode::Tab), c(']')], Views, None, "the next tab"),
    spec(A::PreviousView, "previous-view", &[k(KeyCode::BackTab), c('[')], Views, None,
        "the tab before"),
    spec(A::Up, "up", &[k(KeyCode::Up), c('k')], Moving, None, "one row up"),
    spec(A::Down, "down", &[k(KeyCode::Down), c('j')], Moving, None, "one row down"),
    spec(A::PageUp, "page-up", &[k(KeyCode::PageUp), ctrl('b')], Moving, None, "one screen up"),
    spec(A::PageDown, "page-down", &[k(KeyCode::PageDown), ctrl('f'), c(' ')], Moving, None,
        "one screen down"),
    spec(A::HalfUp, "half-up", &[ctrl('u')], Moving, None, "half a screen up"),
    spec(A::HalfDown, "half-down", &[ctrl('d')], Moving, None, "half a screen down"),
    spec(A::First, "first", &[k(KeyCode::Home), c('g')], Moving, None, "first row"),
    spec(A::Last, "last", &[k(KeyCode::End), c('G')], Moving, None, "last row"),
];

impl Action {
    /// The row of the table about this action.
    #[must_use]
    pub fn spec(self) -> &'static Spec {
        // A test proves that every action is in the table; the first row is never wrong to show.
        ACTIONS
            .iter()
            .find(|spec| spec.action == self)
            .unwrap_or(&ACTIONS[0])
    }

    /// The action of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ACTIONS
            .iter()
            .find(|spec| spec.name == name)
            .map(|spec| spec.action)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{super::columns::Table, *};

    #[test]
    fn no_key_and_no_name_is_double() {
        let mut keys = HashSet::new();
        let mut names = HashSet::new();
        for spec in ACTIONS {
            assert!(names.insert(spec.name), "{}", spec.name);
            assert!(!spec.keys.is_empty(), "{} has no key", spec.name);
            for key in spec.keys {
                assert!(keys.insert(*key), "{key} is double");
            }
        }
        for table in Table::ALL {
            let mut taken = keys.clone();
            for column in table.columns() {
                let letter = Key::char(column.spec().letter);
                assert!(taken.insert(letter), "{letter} of {table:?} is double");
            }
        }
    }

    #[test]
    fn every_view_has_an_action_and_every_action_finds_itself() {
        for view in View::ALL {
            assert!(ACTIONS.iter().any(|spec| spec.action == A::View(view)));
        }
        for spec in ACTIONS {
            assert_eq!(spec.action.spec().name, spec.name);
            assert_eq!(Action::named(spec.name), Some(spec.action));
        }
    }
}

//! `sharestat top` in a real terminal: every key does no harm, the first number comes
//! soon, sizes may change, and the terminal is left as it was found.
//!
//! The binary is `SHARESTAT_BIN`, else the one that was built with the test. Needs root.

#[path = "../skip/mod.rs"]
mod skip;

mod keys;
mod panicking;
mod pty;
mod replay;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use sharestat::tui::{
    actions::{ACTIONS, Action},
    columns::Table,
    keys::Key,
};

use keys::bytes;
use pty::Session;
use skip::skipped;

/// Exit code after a signal.
const INTERRUPTED: i32 = 130;

fn cannot_run() -> bool {
    let able = rustix::process::geteuid().is_root() && sharestat::kernel::object::is_embedded();
    // An emulated processor draws slower than keys and sizes follow each other here.
    let guest = std::env::var_os("SHARESTAT_GUEST").is_some();
    if !able {
        skipped("needs root and a build with BPF programs");
    } else if guest {
        skipped("the screen is driven on the machine's own kernel");
    }
    !able || guest
}

/// Closes what lies over the page and shows a view. Esc is only pressed where something is
/// to be closed, and the next key later: a slow program would take both for one.
fn go_to(session: &mut Session, key: char, tab: &str) {
    session.until(&format!("the tab '{tab}'"), |session| {
        let covered = !session.text().contains("? Help");
        if !covered && session.row(0).contains(tab) {
            return true;
        }
        if covered {
            session.press(b"\x1b");
        } else {
            session.press(key.to_string().as_bytes());
        }
        session.watch(Duration::from_millis(200));
        false
    });
}

/// Presses a key that opens something, again when it was taken for the end of an escape
/// sequence that an Esc before it began.
fn open(session: &mut Session, key: &str, shown: &str) {
    session.until(&format!("'{shown}'"), |session| {
        if session.text().contains(shown) {
            return true;
        }
        session.press(key.as_bytes());
        session.watch(Duration::from_secs(1));
        session.text().contains(shown)
    });
}

/// What is resident according to the line of the overview, as it is shown.
fn resident(session: &Session) -> Option<String> {
    let text = session.text();
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("resident "))?;
    let mut words = line.split_whitespace().skip(1);
    Some(format!("{} {}", words.next()?, words.next()?))
}

#[test]
fn every_key_of_the_table_is_harmless_and_q_leaves_the_terminal_as_it_was() {
    if cannot_run() {
        return;
    }
    let mut session = Session::start(110, 32);
    // Keys of one action are one case to a view, so the second view gets one of each.
    for (view, tab, keys) in [('2', "[2 ", usize::MAX), ('1', "[1 ", 1)] {
        for spec in ACTIONS.iter().filter(|spec| spec.action != Action::Quit) {
            for key in spec.keys.iter().take(keys) {
                go_to(&mut session, view, tab);
                session.press(&bytes(*key));
                session.watch(Duration::from_millis(60));
                assert!(session.is_alive(), "{key} ({}) ended it", spec.name);
            }
        }
    }
    for column in Table::Files.columns() {
        go_to(&mut session, '2', "[2 ");
        session.press(&bytes(Key::char(column.spec().letter)));
        session.watch(Duration::from_millis(100));
    }
    go_to(&mut session, '1', "[1 ");
    session.press(b"q");
    session.left_with(0);
}

#[test]
fn help_palette_filter_and_sort_menu_open_and_close() {
    if cannot_run() {
        return;
    }
    let mut session = Session::start(110, 32);
    for (key, shown) in [
        ("?", "Moving"),
        (":", "put sharestat into the background"),
        ("s", "Sort by"),
        ("/", "filter:"),
    ] {
        go_to(&mut session, '2', "[2 ");
        open(&mut session, key, shown);
    }
    go_to(&mut session, '2', "[2 ");
    session.press(&bytes(Key::control('c')));
    session.left_with(0);
}

#[test]
fn a_number_is_shown_soon_after_the_first_picture() {
    if cannot_run() {
        return;
    }
    let mut session = Session::start(110, 32);
    session.wait_for("Page cache");
    let painted = Instant::now();
    session.until("a number of resident bytes", |session| {
        resident(session).is_some_and(|amount| amount != "0 B")
    });
    let waited = painted.elapsed();
    // How fast is a matter for 'cargo xtask bench'; here only that it comes by itself.
    println!("first number {waited:?} after the first picture");
    session.press(&bytes(Key::plain(ratatui::crossterm::event::KeyCode::F(
        10,
    ))));
    session.left_with(0);
}

#[test]
fn signals_that_end_it_leave_the_terminal_as_it_was() {
    if cannot_run() {
        return;
    }
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut session = Session::start(80, 24);
        session.wait_for("Page cache");
        session.press(b"m");
        session.wait_for("mouse on");
        session.signal(signal);
        session.left_with(INTERRUPTED);
    }
}

#[test]
fn any_size_will_do_and_sizes_may_change() {
    if cannot_run() {
        return;
    }
    let mut session = Session::start(20, 5);
    session.wait_for("Page cache");
    for (columns, rows) in [(20, 5), (1, 1), (400, 100), (60, 15), (7, 2), (20, 5)] {
        session.resize(columns, rows);
        for key in "1?\u{1b}2s\u{1b}3:\u{1b}4/\u{1b}56\r78 ".chars() {
            session.press(key.to_string().as_bytes());
            session.watch(Duration::from_millis(60));
        }
        assert!(session.is_alive(), "{columns} by {rows} ended it");
    }
    session.resize(80, 24);
    go_to(&mut session, '8', "[8 ");
    // The keys before may have moved down on this page.
    session.press(&bytes(Key::plain(ratatui::crossterm::event::KeyCode::Home)));
    session.wait_for("Kernel hooks");
    session.press(b"q");
    session.left_with(0);
}

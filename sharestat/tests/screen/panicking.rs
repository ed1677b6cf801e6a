//! A panic while the screen is open: this test program opens it in a terminal, as a child
//! of itself, and lets a thread panic. Needs no root.

use std::{env, process::Command, sync::Arc, thread, time::Duration};

use sharestat::tui::{
    self, Options, columns::Table, frame::Frame, keys::KeyMap, list::List, theme::Theme,
    units::Units,
};
use tokio::sync::{mpsc, watch};

use super::pty::Session;

/// Name of the test that is the child, and the variable that says that it is.
const CHILD: &str = "panicking::in_a_child_a_thread_panics_behind_the_screen";
const IS_CHILD: &str = "SHARESTAT_SCREEN_CHILD";

/// What the test harness ends with when a test failed.
const FAILED: i32 = 101;

#[test]
fn a_panic_leaves_the_terminal_as_it_was_and_its_message_on_it() {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command
        .args(["--exact", CHILD, "--ignored", "--nocapture"])
        .env(IS_CHILD, "1");
    let mut session = Session::run(command, 80, 24);
    session.wait_for("Page cache");
    let said = session.restored(FAILED);
    let (_, after) = said
        .rsplit_once("\x1b[?1049l")
        .expect("the screen was left");
    assert!(after.contains("panicked"), "{said}");
    assert!(after.contains("on purpose"), "{said}");
}

#[test]
#[ignore = "the child of the test above"]
fn in_a_child_a_thread_panics_behind_the_screen() {
    if env::var_os(IS_CHILD).is_none() {
        return;
    }
    let (frames, shown) = watch::channel(Arc::new(Frame::empty()));
    let (commands, _asked) = mpsc::channel(1);
    let collector = thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        assert!(frames.is_closed(), "on purpose");
    });
    let options = Options {
        theme: Theme::new(true, false),
        keys: KeyMap::default(),
        refresh: Duration::from_secs(1),
        units: Units::default(),
        mouse: true,
        write_to: env::temp_dir(),
        files: List::new(Table::Files),
    };
    let ended = tui::run(shown, commands, options);
    assert!(collector.join().is_ok(), "the collector ended: {ended:?}");
}

//! `sharestat demo` in a terminal: each key of a replay against what the line below the tabs
//! says of position and speed. Needs neither root nor BPF.

use std::{process::Command, time::Duration};

use crate::pty::Session;

/// Whether it stands still, where it is, and how long it is, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Played {
    paused: bool,
    at: f64,
    length: f64,
}

/// Reads `replay paused at 3.2 s of 27 s`.
fn played(session: &Session) -> Option<Played> {
    let row = session.row(1);
    let rest = row.split_once("replay ")?.1;
    let (paused, rest) = match rest.strip_prefix("paused ") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (at, rest) = rest.strip_prefix("at ")?.split_once(" s of ")?;
    let length = rest.split_once(" s")?.0;
    Some(Played {
        paused,
        at: at.parse().ok()?,
        length: length.parse().ok()?,
    })
}

/// Presses a key and waits until position and state are as they should be.
fn press(session: &mut Session, key: &str, what: &str, holds: impl Fn(Played) -> bool) -> Played {
    session.press(key.as_bytes());
    let mut found = None;
    session.until(what, |session| {
        found = played(session).filter(|played| holds(*played));
        found.is_some()
    });
    found.expect("it was found")
}

#[test]
fn keys_move_a_recording_and_change_its_speed() {
    let mut command = Command::new(Session::binary());
    command.args(["demo", "--delay", "200ms"]);
    let mut session = Session::run(command, 110, 32);
    session.wait_for("replay at");
    let still = press(&mut session, "p", "a pause", |now| now.paused);
    session.watch(Duration::from_secs(1));
    assert_eq!(played(&session), Some(still), "it stands still");

    let near = |place: f64| move |now: Played| (now.at - place).abs() < 0.11 && now.paused;
    let on = (still.at + 10.0).min(still.length);
    press(&mut session, ")", "ten seconds on", near(on));
    press(&mut session, "(", "ten seconds back", near(on - 10.0));
    let stepped = press(&mut session, ".", "a step", |now| now.at > on - 9.95);
    press(&mut session, ",", "a step back", |now| now.at < stepped.at);
    let end = press(&mut session, "}", "the end", |now| now.at > on + 0.5);
    assert!(end.length - end.at < 1.0, "{end:?}");
    let begin = press(&mut session, "0", "the beginning", |now| now.at < on - 9.0);

    session.press(b"+");
    session.wait_for("×2");
    session.press(b"-");
    session.press(b"-");
    session.wait_for("×0.5");
    press(&mut session, "p", "playing", |now| {
        !now.paused && now.at > begin.at + 0.3
    });
    session.press(b"q");
    session.left_with(0);
}

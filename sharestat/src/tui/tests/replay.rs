//! What a screen that plays a recording says, and its keys.

use super::{
    super::{
        frame::{Command, Play},
        theme::Theme,
    },
    *,
};

#[test]
fn a_replay_says_where_it_is_and_takes_its_keys() {
    let mut state = state(playing(), Theme::new(true, false));
    let (buffer, _) = paint(&mut state, 140, 30);
    let status = row(&buffer, 1);
    assert!(
        status.contains("replay at 12.0 s of 1 min 40 s ×2"),
        "{status}"
    );
    assert!(status.contains("recording was cut"), "{status}");
    assert!(row(&buffer, 29).contains("p Pause"));
    type_text(&mut state, "p.,)(+-0}{");
    let wanted = [
        Play::Pause,
        Play::Step,
        Play::StepBack,
        Play::Seek(10),
        Play::Seek(-10),
        Play::Faster,
        Play::Slower,
        Play::Start,
        Play::Seek(60),
        Play::Seek(-60),
    ];
    assert_eq!(sent(&mut state), wanted.map(Command::Play));
    // Standing still is no reason to say that the data is old.
    let later = state.frame().taken + Duration::from_mins(1);
    let (buffer, _) = paint_at(&mut state, 140, 30, later);
    assert!(!text(&buffer).contains("old"));
}

#[test]
fn keys_of_a_replay_say_so_when_there_is_none() {
    let mut state = plain();
    type_text(&mut state, "p");
    assert!(sent(&mut state).is_empty());
    let (buffer, _) = paint(&mut state, 140, 30);
    assert!(row(&buffer, 29).contains("only a recording can be played"));
    // The next key takes the answer away.
    type_text(&mut state, "j");
    let (buffer, _) = paint(&mut state, 140, 30);
    assert!(row(&buffer, 29).contains("? Help"));
}

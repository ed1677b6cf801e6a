//! No key and no size of the screen makes it panic.

use proptest::prelude::*;

use super::{
    super::{
        actions::{ACTIONS, Action},
        columns::COLUMNS,
        fixture,
        pages::View,
        theme::Theme,
    },
    *,
};

fn plain() -> State {
    state(fixture::troubled(), Theme::new(true, false))
}

#[test]
fn every_action_works_on_every_view() {
    for view in View::ALL {
        for spec in ACTIONS {
            // Further keys of an action do the same: one view is enough for them.
            let most = if view == View::Files {
                spec.keys.len()
            } else {
                1
            };
            for key in &spec.keys[..most] {
                let mut state = plain();
                state.act(Action::View(view), state.latest.taken);
                press(&mut state, *key);
                paint(&mut state, 100, 30);
                press(&mut state, Key::plain(KeyCode::Esc));
                paint(&mut state, 30, 8);
            }
        }
    }
}

fn any_key() -> impl Strategy<Value = Key> {
    let bound = ACTIONS.iter().flat_map(|spec| spec.keys.iter().copied());
    // Ctrl-C only ends things.
    let bound: Vec<Key> = bound.filter(|key| *key != Key::control('c')).collect();
    prop_oneof![
        3 => proptest::sample::select(bound),
        1 => proptest::sample::select(COLUMNS.iter().map(|spec| Key::char(spec.letter)).collect::<Vec<_>>()),
        1 => any::<char>().prop_map(Key::char),
        1 => Just(Key::plain(KeyCode::Enter)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_keys_on_any_screen_panic(
        keys in proptest::collection::vec(any_key(), 1..40),
        sizes in proptest::collection::vec((1_u16..140, 1_u16..50), 1..8),
        colour in any::<bool>(),
    ) {
        let mut state = state(fixture::troubled(), Theme::new(colour, !colour));
        for (number, key) in keys.into_iter().enumerate() {
            press(&mut state, key);
            let (width, height) = sizes[number % sizes.len()];
            paint(&mut state, width, height);
            if number % 5 == 4 {
                let other = if number % 2 == 0 { fixture::frame() } else { fixture::troubled() };
                state.receive(Arc::new(Frame { sequence: number as u64 + 10, ..other }));
            }
        }
    }
}

#[test]
fn extreme_sizes_do_not_panic() {
    for view in View::ALL {
        let mut state = plain();
        state.act(Action::View(view), state.latest.taken);
        for keys in ["", "?", "s", ":a", "/x"] {
            type_text(&mut state, keys);
            for (width, height) in [
                (1, 1),
                (20, 5),
                (19, 5),
                (20, 4),
                (21, 6),
                (400, 100),
                (400, 5),
                (20, 100),
            ] {
                paint(&mut state, width, height);
            }
            press(&mut state, Key::plain(KeyCode::Esc));
        }
    }
}

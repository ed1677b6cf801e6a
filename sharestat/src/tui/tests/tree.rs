//! Lists as trees, and the view of derefs.

use super::{
    super::{
        fixture,
        pages::{Page, View},
        theme::Theme,
        tree::Target,
    },
    *,
};

fn labels(state: &mut State) -> Vec<String> {
    state.prepare(Size::new(100, 30));
    let rows = state.tree.rows().iter();
    rows.map(|row| row.label.trim().to_owned()).collect()
}

#[test]
fn a_key_turns_lists_into_trees_and_back_and_views_stay_trees() {
    let mut state = plain();
    type_text(&mut state, "3t");
    assert!(matches!(state.page(), Page::Tree(_)));
    assert!(labels(&mut state)[0].contains("sha256:"));
    type_text(&mut state, "4");
    assert_eq!(*state.page(), View::Images.page().as_tree(true));
    type_text(&mut state, "t");
    assert_eq!(*state.page(), Page::Images);
    type_text(&mut state, "2");
    assert_eq!(*state.page(), Page::Files(None));
    type_text(&mut state, "7t");
    let (buffer, _) = paint(&mut state, 100, 30);
    assert!(text(&buffer).contains("no tree"));
}

#[test]
fn enter_unfolds_folds_and_opens_the_copies_of_a_file() {
    let mut state = plain();
    type_text(&mut state, "4t");
    let folded = labels(&mut state);
    assert_eq!(folded, ["\u{25b8} python:3.13-slim"]);
    enter(&mut state);
    assert_eq!(labels(&mut state).len(), 3);
    enter(&mut state);
    assert_eq!(labels(&mut state), folded);
    type_text(&mut state, "*G");
    state.prepare(Size::new(100, 30));
    let row = state.tree.rows()[state.selected().expect("a row")].clone();
    let Target::File(inode, _) = row.target else {
        panic!("the last row of an unfolded tree is a file: {row:?}");
    };
    state.take_effects();
    enter(&mut state);
    assert_eq!(sent(&mut state), [Command::Explain(inode)]);
    press(&mut state, Key::plain(KeyCode::Esc));
    let unfolded = labels(&mut state).len();
    type_text(&mut state, "z");
    assert!(labels(&mut state).len() < unfolded);
}

#[test]
fn trees_are_sorted_filtered_and_followed_as_lists_are() {
    let mut state = plain();
    type_text(&mut state, "2tP");
    let ascending = labels(&mut state);
    type_text(&mut state, "I");
    let mut descending = labels(&mut state);
    descending.reverse();
    assert_eq!(ascending, descending);
    type_text(&mut state, "/fs=btrfs");
    enter(&mut state);
    assert_eq!(labels(&mut state), ["\u{25b8} /home"]);
    type_text(&mut state, "/");
    press(&mut state, Key::control('u'));
    enter(&mut state);
    type_text(&mut state, "t/path~journal");
    enter(&mut state);
    type_text(&mut state, "t");
    assert_eq!(
        labels(&mut state),
        ["\u{25b8} /"],
        "a list's filter holds in its tree"
    );
    type_text(&mut state, "/");
    press(&mut state, Key::control('u'));
    enter(&mut state);
    type_text(&mut state, "GF");
    state.prepare(Size::new(100, 30));
    let followed = state.tree.rows()[state.selected().expect("a row")]
        .key
        .clone();
    type_text(&mut state, "I");
    state.prepare(Size::new(100, 30));
    let now = state.tree.rows()[state.selected().expect("a row")]
        .key
        .clone();
    assert_eq!((now, state.step().cursor), (followed, 0));
}

#[test]
fn derefs_have_a_tab_once_there_are_some() {
    let mut state = state(fixture::frame(), Theme::new(true, false));
    assert!(!state.tabs().contains(&View::Derefs));
    type_text(&mut state, "9");
    let (buffer, _) = paint(&mut state, 100, 30);
    assert!(text(&buffer).contains("no derefs were loaded: 'top --derefs FILE'"));
    state.receive(Arc::new(fixture::troubled()));
    type_text(&mut state, "9/hits>100 context=direct");
    enter(&mut state);
    enter(&mut state);
    let (buffer, _) = paint(&mut state, 100, 30);
    assert!(
        text(&buffer).contains("filemap_read, 1 frame up"),
        "{}",
        text(&buffer)
    );
}

/// What the row of a layer says already is not said again in each row below it.
#[test]
fn paths_below_a_layer_begin_where_it_does() {
    let mut frame = fixture::troubled();
    let mut layers = frame.identity.layers.to_vec();
    let mut files = frame.files.to_vec();
    let directory = "/var/lib/containers/storage/overlay/0f3c/diff";
    // The cursor is on the first row, that of the largest saving.
    let first = layers.iter_mut().max_by_key(|layer| layer.saving);
    let first = first.expect("a layer");
    first.directory = directory.into();
    for (file, path) in files.iter_mut().zip(["usr/bin/a", "usr/lib/b"]) {
        file.layer = Some(Arc::clone(&first.id));
        file.path = format!("{directory}/{path}").into();
    }
    for file in files.iter_mut().skip(2) {
        file.layer = None;
    }
    frame.identity.layers = layers.into();
    frame.files = files.into();
    let mut state = state(frame, Theme::new(true, false));
    type_text(&mut state, "3t*");
    let labels = labels(&mut state).join("\n");
    assert!(
        labels.contains("usr/") && labels.contains("bin/"),
        "{labels}"
    );
    assert!(!labels.contains("containers"), "{labels}");
}

//! Snapshots of every view at three sizes, in colour; monochrome and ASCII once.

use super::{
    super::{actions::Action, fixture, frame::Frame, pages::View, state::State, theme::Theme},
    *,
};

const SIZES: [(u16, u16); 3] = [(60, 15), (100, 30), (200, 60)];

fn snapshot(name: &str, state: &mut State) {
    for (width, height) in SIZES {
        let (buffer, _) = paint(state, width, height);
        let picture = format!("{}\n-- styles --\n{}", text(&buffer), styles(&buffer));
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), picture);
    }
}

fn on(view: View, frame: Frame) -> State {
    let mut state = state(frame, Theme::new(true, false));
    let now = state.latest.taken;
    state.act(Action::View(view), now);
    state
}

#[test]
fn overview() {
    snapshot("overview", &mut on(View::Overview, fixture::frame()));
}

#[test]
fn overview_during_the_census() {
    snapshot(
        "overview_census",
        &mut on(View::Overview, fixture::troubled()),
    );
}

#[test]
fn overview_before_any_data() {
    let frame = Frame {
        taken_at: fixture::frame().taken_at,
        ..Frame::empty()
    };
    snapshot("overview_empty", &mut on(View::Overview, frame));
}

#[test]
fn files() {
    snapshot("files", &mut on(View::Files, fixture::frame()));
}

#[test]
fn files_filtered_frozen_and_in_shares() {
    let mut state = on(View::Files, fixture::frame());
    type_text(&mut state, "/path~overlay");
    enter(&mut state);
    type_text(&mut state, "P%f");
    snapshot("files_filtered", &mut state);
}

#[test]
fn copies_of_a_file() {
    let mut state = on(View::Files, fixture::frame());
    type_text(&mut state, "/fs=xfs path~3f9a not path~so.");
    enter(&mut state);
    enter(&mut state);
    snapshot("copies", &mut state);
}

#[test]
fn layers_images_containers_filesystems() {
    for view in [
        View::Layers,
        View::Images,
        View::Containers,
        View::Memcgs,
        View::Filesystems,
    ] {
        let name = view.title().to_lowercase();
        snapshot(&name, &mut on(view, fixture::troubled()));
    }
}

#[test]
fn trees_of_files_images_and_layers() {
    let mut state = on(View::Files, fixture::frame());
    type_text(&mut state, "tP*");
    snapshot("tree_files", &mut state);
    let mut state = on(View::Images, fixture::troubled());
    type_text(&mut state, "t");
    enter(&mut state);
    type_text(&mut state, "j*");
    snapshot("tree_images", &mut state);
    let mut state = on(View::Layers, fixture::troubled());
    type_text(&mut state, "t%");
    snapshot("tree_layers_shares", &mut state);
}

#[test]
fn derefs_and_one_of_them() {
    let mut state = on(View::Derefs, fixture::troubled());
    snapshot("derefs", &mut state);
    enter(&mut state);
    snapshot("deref", &mut state);
}

#[test]
fn layers_against_layers() {
    let mut state = on(View::Overview, fixture::troubled());
    type_text(&mut state, "x");
    snapshot("layer_map", &mut state);
}

#[test]
fn layers_that_are_not_known() {
    snapshot("layers_missing", &mut on(View::Layers, fixture::frame()));
}

#[test]
fn events() {
    snapshot("events", &mut on(View::Events, fixture::frame()));
}

#[test]
fn health() {
    snapshot("health", &mut on(View::Health, fixture::troubled()));
}

#[test]
fn help_sort_menu_palette_and_filter_prompt() {
    for (name, keys) in [
        ("help", "?"),
        ("sort_menu", "s"),
        ("palette", ":sort"),
        ("filter", "/dup>x"),
    ] {
        let mut state = on(View::Files, fixture::frame());
        type_text(&mut state, keys);
        snapshot(name, &mut state);
    }
}

#[test]
fn monochrome_has_no_colour_and_ascii_nothing_else() {
    for view in View::ALL {
        for (colour, ascii) in [(false, false), (true, true)] {
            let mut state = on(view, fixture::troubled());
            state.theme = Theme::new(colour, ascii);
            for keys in ["", "?", ":x", "x", "f"] {
                type_text(&mut state, keys);
                let (buffer, _) = paint(&mut state, 100, 30);
                let plain = ratatui::style::Color::Reset;
                for cell in buffer.content() {
                    assert!(colour || (cell.fg, cell.bg) == (plain, plain));
                    assert!(
                        !ascii || cell.symbol().is_ascii(),
                        "{:?} in {view:?}",
                        cell.symbol()
                    );
                }
                press(&mut state, Key::plain(KeyCode::Esc));
            }
        }
    }
}

#[test]
fn files_in_monochrome_ascii() {
    let mut state = on(View::Files, fixture::frame());
    state.theme = Theme::new(false, true);
    snapshot("files_mono_ascii", &mut state);
}

//! What keys, mouse and new frames do.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::{
    super::{
        actions::{ACTIONS, Action, Group, Spec},
        columns::{COLUMNS, Column},
        draw::Hit,
        fixture,
        frame::Command,
        pages::{Page, View},
        rows::{Row, RowKey},
        state::Effect,
        theme::Theme,
        views,
    },
    *,
};
use crate::{model::inode::InodeId, query::Value};

fn selected_path(state: &State) -> String {
    let row = state.selected().expect("a row under the cursor");
    state.frame().files[row].path.to_string()
}

/// The way back up from the end begins at once.
#[test]
fn the_help_moves_up_from_its_end() {
    let mut state = plain();
    type_text(&mut state, "?");
    let begin = text(&paint(&mut state, 80, 24).0);
    press(&mut state, Key::plain(KeyCode::End));
    let end = text(&paint(&mut state, 80, 24).0);
    press(&mut state, Key::plain(KeyCode::Up));
    let above = text(&paint(&mut state, 80, 24).0);
    assert!(begin != end && above != end, "{above}");
}

#[test]
fn help_shows_every_action_and_every_column() {
    let state = state(playing(), Theme::new(true, false));
    let lines = views::help::lines(&state, 200);
    let help: Vec<String> = lines.iter().map(ToString::to_string).collect();
    for spec in ACTIONS {
        let line = help
            .iter()
            .find(|line| line.contains(&format!("({})", spec.name)));
        let line = line.unwrap_or_else(|| panic!("{} is not in the help", spec.name));
        for key in spec.keys {
            assert!(
                line.contains(&key.to_string()),
                "{key} is missing in '{line}'"
            );
        }
    }
    for spec in &COLUMNS {
        assert!(
            help.iter().any(|line| line.contains(spec.help)),
            "{}",
            spec.name
        );
    }
}

#[test]
fn footer_and_palette_come_from_the_table() {
    let mut state = plain();
    press(&mut state, Key::char('2'));
    let (buffer, _) = paint(&mut state, 200, 30);
    let footer = row(&buffer, 29);
    let shown = |spec: &&Spec| spec.action != Action::Back && spec.group != Group::Replay;
    for spec in ACTIONS.iter().filter(shown) {
        if let Some(word) = spec.footer {
            assert!(
                footer.contains(&format!("{} {word}", spec.keys[0])),
                "{footer}"
            );
        }
    }
    type_text(&mut state, ":health");
    enter(&mut state);
    assert_eq!(*state.page(), Page::Health);
}

#[test]
fn letters_sort_and_again_turn_round() {
    let mut state = plain();
    type_text(&mut state, "2R");
    state.prepare(Size::new(100, 30));
    let resident = |state: &State| {
        let rows = state
            .order
            .iter()
            .map(|row| state.frame().files[*row as usize].resident);
        rows.collect::<Vec<_>>()
    };
    assert!(resident(&state).is_sorted_by(|one, other| one >= other));
    type_text(&mut state, "R");
    state.prepare(Size::new(100, 30));
    assert!(resident(&state).is_sorted());
    type_text(&mut state, "I%D");
    state.prepare(Size::new(100, 30));
    let shares = state.order.iter().map(|row| {
        super::super::list::share(&state.frame().files[*row as usize], Column::Duplicate)
    });
    assert!(
        shares
            .collect::<Vec<_>>()
            .is_sorted_by(|one, other| one >= other)
    );
}

#[test]
fn filter_applies_while_typing_and_esc_clears_it() {
    let mut state = plain();
    type_text(&mut state, "2/fs=xfs");
    state.prepare(Size::new(100, 30));
    let xfs = state
        .frame()
        .files
        .iter()
        .filter(|file| &*file.fs == "xfs")
        .count();
    assert_eq!(state.order.len(), xfs);
    type_text(&mut state, " du");
    state.prepare(Size::new(100, 30));
    assert_eq!(state.order.len(), xfs, "a field's name is not searched for");
    type_text(&mut state, "p>");
    let (buffer, _) = paint(&mut state, 100, 30);
    assert!(text(&buffer).contains("a value is missing after this"));
    assert_eq!(
        state.order.len(),
        xfs,
        "an unfinished query leaves the last good one"
    );
    enter(&mut state);
    assert!(
        state.overlay.is_some(),
        "Enter does not keep what is no query"
    );
    press(&mut state, Key::plain(KeyCode::Esc));
    state.prepare(Size::new(100, 30));
    assert_eq!(state.order.len(), state.frame().files.len());
}

#[test]
fn drilling_down_asks_for_copies_and_esc_comes_back() {
    let mut state = plain();
    type_text(&mut state, "5N");
    enter(&mut state);
    assert!(matches!(state.page(), Page::Layers(Some(_))));
    type_text(&mut state, "N");
    enter(&mut state);
    assert!(matches!(state.page(), Page::Files(Some(_))));
    paint(&mut state, 100, 30);
    let path = selected_path(&state);
    assert!(path.contains("overlay/"), "{path}");
    let inode = state.frame().files[state.selected().expect("row")].inode;
    state.take_effects();
    enter(&mut state);
    assert_eq!(sent(&mut state), [Command::Explain(inode)]);
    for _ in 0..3 {
        press(&mut state, Key::plain(KeyCode::Esc));
    }
    assert_eq!(*state.page(), Page::Containers);
}

#[test]
fn copies_arrive_in_a_later_frame_even_when_frozen() {
    let mut state = plain();
    type_text(&mut state, "2fP");
    let (buffer, _) = paint(&mut state, 100, 30);
    assert!(text(&buffer).contains("FROZEN"));
    let inode = state.frame().files[state.selected().expect("row")].inode;
    assert_ne!(inode, InodeId(1));
    enter(&mut state);
    let (buffer, _) = paint(&mut state, 100, 30);
    assert!(text(&buffer).contains("comes with a later frame"));
    let explained = Some(fixture::explanation(inode));
    state.receive(Arc::new(Frame {
        sequence: 9,
        explained,
        ..fixture::frame()
    }));
    let (buffer, _) = paint(&mut state, 100, 30);
    assert!(text(&buffer).contains("newer than the frozen frame"));
    assert_eq!(state.order.len(), 3);
}

#[test]
fn frozen_banner_shows_the_age_and_the_picture_stays() {
    let mut state = plain();
    type_text(&mut state, "f");
    state.receive(Arc::new(Frame {
        sequence: 9,
        events_lost: 77,
        ..fixture::frame()
    }));
    let later = state.frame().taken + Duration::from_secs(75);
    let (buffer, _) = paint_at(&mut state, 100, 30, later);
    assert!(text(&buffer).contains("FROZEN: data is 1 min 15 s old (f resumes)"));
    assert_eq!(state.frame().sequence, 8);
    type_text(&mut state, "Z");
    assert_eq!(state.frame().sequence, 9);
}

#[test]
fn old_data_is_said_to_be_old() {
    let mut state = plain();
    state.overlay = None;
    let later = state.frame().taken + Duration::from_secs(20);
    let (buffer, _) = paint_at(&mut state, 200, 30, later);
    assert!(text(&buffer).contains("data is 20 s old"));
}

#[test]
fn a_followed_row_keeps_the_cursor() {
    let mut state = plain();
    type_text(&mut state, "2jjjF");
    paint(&mut state, 100, 30);
    let path = selected_path(&state);
    let mut files = state.frame().files.to_vec();
    files.reverse();
    for file in &mut files {
        file.saving.0 = u64::from(u32::MAX) - file.saving.0;
    }
    state.receive(Arc::new(Frame {
        sequence: 9,
        files: files.into(),
        ..fixture::frame()
    }));
    paint(&mut state, 100, 10);
    assert_eq!(selected_path(&state), path);
    let key = state.frame().files[state.selected().expect("row")].key();
    assert!(matches!(key, RowKey::Inode(_)));
}

#[test]
fn rates_step_and_the_collector_hears_of_them() {
    let mut state = plain();
    type_text(&mut state, "<>>");
    let wanted = [500, 1_000, 2_000].map(|time| Command::Refresh(Duration::from_millis(time)));
    assert_eq!(sent(&mut state), wanted);
    type_text(&mut state, "<<<<<<<<<<");
    assert_eq!(
        sent(&mut state).last(),
        Some(&Command::Refresh(Duration::from_millis(100)))
    );
}

#[test]
fn writing_takes_the_frame_on_the_screen() {
    let mut state = plain();
    type_text(&mut state, "f");
    state.receive(Arc::new(Frame {
        sequence: 9,
        ..fixture::frame()
    }));
    type_text(&mut state, "w");
    let effects = state.take_effects();
    assert!(matches!(&effects[..], [Effect::Write(frame)] if frame.sequence == 8));
}

#[test]
fn tabs_of_layers_images_and_containers_appear_with_rows() {
    let mut state = state(fixture::frame(), Theme::new(true, false));
    assert!(!state.tabs().contains(&View::Layers));
    state.receive(Arc::new(fixture::troubled()));
    assert_eq!(state.tabs(), View::ALL);
}

#[test]
fn a_view_without_rows_says_why_and_is_not_opened() {
    let mut state = state(fixture::frame(), Theme::new(true, false));
    type_text(&mut state, "24");
    assert_eq!(state.view, View::Files);
    let (buffer, _) = paint(&mut state, 100, 30);
    assert!(text(&buffer).contains("images are not known: overlay layers are not read yet"));
    let help: String = views::help::lines(&state, 200)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(!help.contains("(images)") && help.contains("(files)"));
}

#[test]
fn of_a_file_without_a_hashed_page_only_residency_is_known() {
    let frame = fixture::frame();
    let unknown = frame
        .files
        .iter()
        .find(|file| file.hashed.0 == 0 && file.resident.0 > 0)
        .expect("the fixture has one");
    assert!(unknown.resident.0 > 0);
    for column in [
        Column::Duplicate,
        Column::Exclusive,
        Column::Saving,
        Column::Zero,
    ] {
        assert_eq!(unknown.value(column), Value::Missing);
    }
    assert_eq!(unknown.bytes(Column::Hashed), Some(0));
}

#[test]
fn before_the_first_frame_no_number_is_shown() {
    let mut state = state(Frame::empty(), Theme::new(true, false));
    for key in ["1", "2", "6", "8"] {
        type_text(&mut state, key);
        let (buffer, _) = paint(&mut state, 100, 30);
        let shown = text(&buffer);
        assert!(shown.contains("nothing is measured yet"), "{shown}");
        assert!(!shown.contains("0 B"), "{shown}");
    }
}

#[test]
fn the_mouse_selects_opens_sorts_and_changes_views() {
    let mut state = plain();
    let click = |state: &mut State, wanted: Hit| {
        let (_, hits) = paint(state, 100, 30);
        let (area, _) = hits
            .iter()
            .find(|(_, hit)| *hit == wanted)
            .expect("on the screen");
        let event = MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: area.x,
            row: area.y,
            modifiers: KeyModifiers::NONE,
        };
        state.mouse(event, &hits, state.latest.taken);
    };
    click(&mut state, Hit::View(View::Files));
    click(&mut state, Hit::Sort(Column::Path));
    assert_eq!(state.list().expect("a table").sort(), Column::Path);
    click(&mut state, Hit::Row(2));
    assert_eq!(state.step().cursor, 2);
    click(&mut state, Hit::Row(2));
    assert!(matches!(state.page(), Page::Copies(..)));
}

#[test]
fn the_order_of_200_000_rows_is_kept_while_moving() {
    let frame = Frame {
        files: fixture::files(200_000),
        ..fixture::frame()
    };
    let mut state = state(frame, Theme::new(true, false));
    type_text(&mut state, "2");
    paint(&mut state, 200, 60);
    let order = Arc::clone(&state.order);
    for key in [
        KeyCode::End,
        KeyCode::PageUp,
        KeyCode::Up,
        KeyCode::Home,
        KeyCode::PageDown,
    ] {
        press(&mut state, Key::plain(key));
        paint(&mut state, 200, 60);
        assert!(Arc::ptr_eq(&order, &state.order));
    }
}

#[test]
fn scrolling_ends_at_the_last_line() {
    let mut state = plain();
    type_text(&mut state, "G");
    paint(&mut state, 60, 15);
    let end = state.step().cursor;
    type_text(&mut state, "jjjk");
    paint(&mut state, 60, 15);
    assert_eq!(state.step().cursor, end - 1);
}

//! Keys, mouse and actions change the state; nothing else does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ratatui::{
    crossterm::event::{
        KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
    },
    layout::Position,
};

use super::{
    actions::Action,
    columns::Column,
    draw::{Hit, Hits},
    frame::Command,
    keys::Key,
    overlay::{Input, Overlay, Request},
    pages::{Page, View},
    state::{Effect, State, Step},
    theme::Role,
    tree::Target,
    units::span,
    views::groups,
};
use crate::query::QueryError;

/// Refresh intervals that `<` and `>` step through, in milliseconds.
const INTERVALS: [u64; 9] = [100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

impl State {
    /// Takes a key press.
    pub fn key(&mut self, event: KeyEvent, now: Instant) {
        // No key is bound with Alt or Super: those belong to terminal and desktop.
        let foreign = KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META;
        if event.kind == KeyEventKind::Release || event.modifiers.intersects(foreign) {
            return;
        }
        // Several keys may come between two pictures: each sees the page of the one before.
        self.prepare(self.size);
        // It answered the key before, and hides the footer.
        self.message = None;
        let key = Key::from(event);
        let bound = self.keys.action(key);
        let columns = self.page().table().map_or(&[][..], |table| table.columns());
        if key == Key::control('c') {
            self.effects.push(Effect::Quit);
        } else if let Some(overlay) = &mut self.overlay {
            let request = overlay.key(key, bound, columns);
            self.answer(request, now);
        } else if let Some(action) = bound {
            self.act(action, now);
        } else if let Some(column) = columns
            .iter()
            .find(|column| key == Key::char(column.spec().letter))
        {
            self.sort_by(*column);
        }
    }

    fn answer(&mut self, request: Request, now: Instant) {
        match request {
            Request::Stay => {}
            Request::Close => self.overlay = None,
            Request::Run(action) => {
                self.overlay = None;
                self.act(action, now);
            }
            Request::Sort(column) => {
                self.overlay = None;
                self.sort_by(column);
            }
            Request::Preview(text) => {
                let failed = self
                    .list_mut()
                    .and_then(|list| list.preview_filter(&text).err());
                self.filter_result(failed, false);
            }
            Request::Filter(text) => {
                let failed = self
                    .list_mut()
                    .and_then(|list| list.set_filter(&text).err());
                self.filter_result(failed, true);
            }
        }
    }

    fn filter_result(&mut self, failed: Option<QueryError>, close: bool) {
        if close && failed.is_none() {
            self.overlay = None;
        } else if let Some(Overlay::Filter { error, .. }) = &mut self.overlay {
            *error = failed;
        }
    }

    /// Takes a mouse event, given what the last picture had where.
    pub fn mouse(&mut self, event: MouseEvent, hits: &Hits, now: Instant) {
        let scroll = match event.kind {
            MouseEventKind::ScrollUp => Some(Action::Up),
            MouseEventKind::ScrollDown => Some(Action::Down),
            _ => None,
        };
        if let Some(action) = scroll {
            match &mut self.overlay {
                Some(overlay) => {
                    overlay.key(Key::plain(action.spec().keys[0].code), Some(action), &[]);
                }
                None => (0..3).for_each(|_| self.act(action, now)),
            }
            return;
        }
        if event.kind != MouseEventKind::Down(MouseButton::Left) || self.overlay.is_some() {
            return;
        }
        self.prepare(self.size);
        let place = Position::new(event.column, event.row);
        match hits
            .iter()
            .find(|(area, _)| area.contains(place))
            .map(|(_, hit)| *hit)
        {
            Some(Hit::View(view)) => self.show(view),
            Some(Hit::Sort(column)) => self.sort_by(column),
            Some(Hit::Row(row)) if self.step().cursor == row => self.act(Action::Open, now),
            Some(Hit::Row(row)) => self.move_to(row),
            None => {}
        }
    }

    /// Runs an action.
    pub fn act(&mut self, action: Action, now: Instant) {
        let page = if self.page().table().is_some() {
            self.visible_rows()
        } else {
            self.visible_lines()
        };
        let cursor = self.step().cursor;
        match action {
            Action::Quit => self.effects.push(Effect::Quit),
            Action::Suspend => self.effects.push(Effect::Suspend),
            Action::Help => self.overlay = Some(Overlay::Help { top: 0 }),
            Action::Palette => {
                self.overlay = Some(Overlay::Palette {
                    input: Input::default(),
                    selected: 0,
                });
            }
            Action::View(view) => self.visit(view, now),
            Action::LayerMap => {
                self.visit(View::Layers, now);
                if self.view == View::Layers {
                    self.steps.push(Step::to(Page::LayerMap));
                }
            }
            Action::NextView => self.show(self.beside(1)),
            Action::PreviousView => self.show(self.beside(self.tabs().len() - 1)),
            Action::Up => self.move_to(cursor.saturating_sub(1)),
            Action::Down => self.move_to(cursor.saturating_add(1)),
            Action::PageUp => self.move_to(cursor.saturating_sub(page)),
            Action::PageDown => self.move_to(cursor.saturating_add(page)),
            Action::HalfUp => self.move_to(cursor.saturating_sub(page / 2)),
            Action::HalfDown => self.move_to(cursor.saturating_add(page / 2)),
            Action::First => self.move_to(0),
            Action::Last => self.move_to(usize::MAX),
            Action::Open => self.open(),
            Action::Tree => self.toggle_tree(now),
            Action::FoldAll => self.tree.fold_all(),
            Action::UnfoldAll => {
                if let Some(key) = self.branch() {
                    self.tree.unfold_all(key);
                }
            }
            Action::Back => self.back(),
            Action::SortMenu => self.sort_menu(),
            Action::SortLeft => self.change_list(|list| list.sort_beside(false)),
            Action::SortRight => self.change_list(|list| list.sort_beside(true)),
            Action::Invert => self.change_list(super::list::List::invert),
            Action::Filter => self.edit_filter(),
            Action::Follow => self.follow(now),
            Action::Freeze => {
                let shown = Arc::clone(self.frame());
                self.frozen = if self.frozen.is_some() {
                    None
                } else {
                    Some(shown)
                };
            }
            Action::Units => {
                self.units = self.units.next();
                self.say(format!("sizes in {}", self.units.name()), Role::Text, now);
            }
            Action::Share => self.shares = !self.shares,
            Action::Faster => self.pace(false, now),
            Action::Slower => self.pace(true, now),
            Action::Refresh => {
                self.effects.push(Effect::Clear);
                self.effects.push(Effect::Send(Command::RefreshNow));
            }
            Action::Write => self.effects.push(Effect::Write(Arc::clone(self.frame()))),
            Action::Play(play) if self.latest.playback.is_some() => {
                self.effects.push(Effect::Send(Command::Play(play)));
            }
            Action::Play(_) => {
                let text = "only a recording can be played: 'sharestat top --replay FILE'";
                self.say(text, Role::Warning, now);
            }
            Action::Mouse => {
                self.mouse = !self.mouse;
                self.effects.push(Effect::Mouse(self.mouse));
                let word = if self.mouse { "on" } else { "off" };
                self.say(format!("mouse {word}"), Role::Text, now);
            }
        }
    }

    /// Shows a view; one without rows says why instead.
    fn visit(&mut self, view: View, now: Instant) {
        if self.offers(view) {
            self.show(view);
        } else {
            self.say(groups::empty(self, view), Role::Warning, now);
        }
    }

    fn show(&mut self, view: View) {
        self.view = view;
        self.steps = vec![Step::to(view.page().as_tree(self.tree.on))];
    }

    fn beside(&self, distance: usize) -> View {
        let tabs = self.tabs();
        let here = tabs.iter().position(|view| *view == self.view).unwrap_or(0);
        tabs.get((here + distance) % tabs.len().max(1))
            .copied()
            .unwrap_or(self.view)
    }

    /// Moving by hand ends following: the cursor is wanted elsewhere.
    fn move_to(&mut self, row: usize) {
        if let Some(list) = self.list_mut() {
            list.follow = None;
            let last = self.order.len().saturating_sub(1);
            self.step_mut().cursor = row.min(last);
        } else {
            // `prepare` clamps this to the page's length before it is used.
            self.step_mut().cursor = row;
        }
    }

    fn open(&mut self) {
        if let Some(key) = self.branch() {
            self.tree.toggle(&key);
            return;
        }
        let behind = self
            .selected()
            .and_then(|row| self.page().behind(self.rows()?, row));
        if let Some(page) = behind {
            self.steps.push(Step::to(page.as_tree(self.tree.on)));
            self.explain();
        }
    }

    /// The key of the branch under the cursor, in a tree.
    fn branch(&self) -> Option<Arc<str>> {
        let row = self.selected()?;
        let Page::Tree(_) = self.page() else {
            return None;
        };
        let row = self.tree.rows().get(row)?;
        (row.target == Target::Branch).then(|| Arc::clone(&row.key))
    }

    /// Shows the page as a tree or as a list; those opened after it, too.
    fn toggle_tree(&mut self, now: Instant) {
        let on = !matches!(self.page(), Page::Tree(_));
        if on && !self.page().has_tree() {
            self.say("this list has no tree", Role::Warning, now);
            return;
        }
        self.tree.on = on;
        let page = self.page().clone().as_tree(on);
        let filter = self.list().map(|list| list.filter().to_owned());
        *self.step_mut() = Step::to(page);
        if let (Some(list), Some(filter)) = (self.list_mut(), filter) {
            // A filter that asks for columns of the other list only is left behind.
            let _ = list.set_filter(&filter);
        }
    }

    fn back(&mut self) {
        if self.steps.len() > 1 {
            self.steps.pop();
            self.explain();
        } else if let Some(list) = self.list_mut() {
            // The empty text is always a query.
            let _ = list.set_filter("");
        }
    }

    /// Asks for the copies that the current page shows.
    fn explain(&mut self) {
        if let Page::Copies(inode, _) = *self.page() {
            self.effects.push(Effect::Send(Command::Explain(inode)));
        }
    }

    /// Position, in the frame's list, of the row under the cursor.
    pub(super) fn selected(&self) -> Option<usize> {
        self.order.get(self.step().cursor).map(|row| *row as usize)
    }

    fn sort_menu(&mut self) {
        let Some(list) = self.list() else { return };
        let columns = list.table().columns();
        let selected = columns
            .iter()
            .position(|column| *column == list.sort())
            .unwrap_or(0);
        self.overlay = Some(Overlay::Sort { selected });
    }

    fn sort_by(&mut self, column: Column) {
        self.change_list(|list| list.sort_by(column));
    }

    fn change_list(&mut self, change: impl FnOnce(&mut super::list::List)) {
        if let Some(list) = self.list_mut() {
            change(list);
        }
    }

    fn edit_filter(&mut self) {
        if let Some(list) = self.list() {
            let input = Input {
                text: list.filter().to_owned(),
            };
            self.overlay = Some(Overlay::Filter { input, error: None });
        }
    }

    fn follow(&mut self, now: Instant) {
        let selected = self.selected();
        let key = selected.and_then(|row| {
            let rows = self.rows()?;
            (row < rows.len()).then(|| rows.row(row).key())
        });
        if let Some(list) = self.list_mut() {
            list.follow = if list.follow.is_some() { None } else { key };
            let word = if list.follow.is_some() {
                "following the row"
            } else {
                "not following"
            };
            self.say(word, Role::Text, now);
        }
    }

    fn pace(&mut self, slower: bool, now: Instant) {
        let current = self.refresh.as_millis();
        let next = if slower {
            INTERVALS
                .into_iter()
                .find(|interval| u128::from(*interval) > current)
        } else {
            INTERVALS
                .into_iter()
                .rev()
                .find(|interval| u128::from(*interval) < current)
        };
        if let Some(interval) = next {
            self.refresh = Duration::from_millis(interval);
            self.effects
                .push(Effect::Send(Command::Refresh(self.refresh)));
        }
        self.say(
            format!("a frame every {}", span(self.refresh)),
            Role::Text,
            now,
        );
    }
}

//! What the screen remembers: frames, the way to the current page, sort orders, the
//! overlay, settings. Keys and frames go in; effects and a picture come out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ratatui::layout::Size;

use super::{
    actions::Action,
    columns::Table,
    frame::{Command, Frame},
    keys::KeyMap,
    list::List,
    overlay::Overlay,
    pages::{Page, Rows, View},
    theme::{Role, Theme},
    tree::Tree,
    units::Units,
    views,
};

/// How long a message stays in the footer.
const MESSAGE_TIME: Duration = Duration::from_secs(5);

/// Something for the driver to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Tell the collector.
    Send(Command),
    /// Write the frame to a file.
    Write(Arc<Frame>),
    /// Switch mouse reports.
    Mouse(bool),
    /// Draw every cell again.
    Clear,
    /// Go into the background.
    Suspend,
    /// Leave.
    Quit,
}

/// One step of the way to the current page.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) page: Page,
    /// Row under the cursor, or first line shown where there is no table.
    pub(super) cursor: usize,
    /// First row shown.
    pub(super) top: usize,
}

impl Step {
    pub(super) const fn to(page: Page) -> Self {
        Self {
            page,
            cursor: 0,
            top: 0,
        }
    }
}

/// A sentence in the footer.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) text: String,
    pub(super) role: Role,
    until: Instant,
}

/// The state of the screen.
#[derive(Debug)]
pub struct State {
    pub(super) theme: Theme,
    pub(super) keys: KeyMap,
    pub(super) latest: Arc<Frame>,
    pub(super) frozen: Option<Arc<Frame>>,
    pub(super) view: View,
    /// Never empty: the first step is the view's own page.
    pub(super) steps: Vec<Step>,
    pub(super) lists: [List; Table::ALL.len()],
    pub(super) overlay: Option<Overlay>,
    pub(super) message: Option<Message>,
    pub(super) units: Units,
    pub(super) shares: bool,
    pub(super) refresh: Duration,
    pub(super) mouse: bool,
    pub(super) size: Size,
    /// Rows of the current table in order; computed by [`prepare`](Self::prepare).
    pub(super) order: Arc<[u32]>,
    /// Rows and branches of lists that are shown as trees.
    pub(super) tree: Tree,
    pub(super) effects: Vec<Effect>,
}

impl State {
    /// Starts on the overview of a frame.
    #[must_use]
    pub fn new(theme: Theme, keys: KeyMap, refresh: Duration, frame: Arc<Frame>) -> Self {
        Self {
            theme,
            keys,
            latest: frame,
            frozen: None,
            view: View::Overview,
            steps: vec![Step::to(Page::Overview)],
            lists: Table::ALL.map(List::new),
            overlay: None,
            message: None,
            units: Units::default(),
            shares: false,
            refresh,
            mouse: false,
            size: Size::new(80, 24),
            order: Arc::from([]),
            tree: Tree::default(),
            effects: Vec::new(),
        }
    }

    /// Takes the place of the list of the same table.
    pub fn start_with(&mut self, list: List) {
        let table = list.table();
        self.lists[table as usize] = list;
    }

    /// Takes a newer frame. A frozen picture stays.
    pub fn receive(&mut self, frame: Arc<Frame>) {
        self.latest = frame;
    }

    /// The frame on the screen.
    #[must_use]
    pub fn frame(&self) -> &Arc<Frame> {
        self.frozen.as_ref().unwrap_or(&self.latest)
    }

    /// The frame that the current page's rows come from: the one on the screen, except
    /// for copies that were asked for after it was frozen.
    pub(super) fn source(&self) -> &Arc<Frame> {
        let shown = self.frame();
        if self.page().rows(shown).is_none() && self.page().rows(&self.latest).is_some() {
            return &self.latest;
        }
        shown
    }

    /// The rows of the current page, `None` for copies that are not known yet.
    pub(super) fn rows(&self) -> Option<Rows<'_>> {
        match self.page() {
            Page::Tree(_) => Some(Rows::Tree(self.tree.rows())),
            page => page.rows(self.source()),
        }
    }

    /// The page on the screen.
    #[must_use]
    pub fn page(&self) -> &Page {
        &self.step().page
    }

    pub(super) fn step(&self) -> &Step {
        &self.steps[self.steps.len() - 1]
    }

    pub(super) fn step_mut(&mut self) -> &mut Step {
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    /// Sort order and filter of the current table.
    pub(super) fn list(&self) -> Option<&List> {
        self.page().table().map(|table| &self.lists[table as usize])
    }

    pub(super) fn list_mut(&mut self) -> Option<&mut List> {
        self.page()
            .table()
            .map(|table| &mut self.lists[table as usize])
    }

    /// Shows a sentence in the footer for a while.
    pub fn say(&mut self, text: impl Into<String>, role: Role, now: Instant) {
        self.message = Some(Message {
            text: text.into(),
            role,
            until: now + MESSAGE_TIME,
        });
    }

    /// Forgets what is over. Whether the screen has to be drawn again.
    pub fn expire(&mut self, now: Instant) -> bool {
        let over = self
            .message
            .as_ref()
            .is_some_and(|message| message.until <= now);
        if over {
            self.message = None;
        }
        over || self.frozen.is_some() || self.is_stale(now)
    }

    /// Whether several frames that should have come have not.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        if self.latest.playback.is_some() {
            return false;
        }
        let age = now.saturating_duration_since(self.latest.taken);
        age > (self.refresh * 3).max(Duration::from_secs(2))
    }

    /// What the driver has to do now.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Rows that fit into the body's table.
    pub(super) fn visible_rows(&self) -> usize {
        // Tabs, status, footer; title and header of the table.
        usize::from(self.size.height).saturating_sub(5).max(1)
    }

    /// Lines that fit into the body.
    pub(super) fn visible_lines(&self) -> usize {
        usize::from(self.size.height).saturating_sub(3).max(1)
    }

    /// Brings order, cursor and scrolling into line with frame and size. To be called
    /// before each drawing.
    pub fn prepare(&mut self, size: Size) {
        self.size = size;
        if let Some(Overlay::Help { top }) = self.overlay {
            // Else the way back up begins far below the end.
            let lines = views::help::lines(self, usize::from(size.width)).len();
            let top = top.min(lines.saturating_sub(self.visible_lines()));
            self.overlay = Some(Overlay::Help { top });
        }
        let Some(table) = self.page().table() else {
            let lines = views::line_count(self);
            let last = lines.saturating_sub(self.visible_lines());
            let step = self.step_mut();
            step.cursor = step.cursor.min(last);
            return;
        };
        let page = self.page().clone();
        let source = Arc::clone(self.source());
        let list = &mut self.lists[table as usize];
        let grown;
        let (rows, order) = if let Page::Tree(below) = &page {
            let glyphs = self.theme.glyphs;
            self.tree.prepare(below, &source, list, self.shares, glyphs);
            grown = Arc::clone(self.tree.rows());
            let rows = Rows::Tree(&grown);
            // They are made in their order.
            let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            (rows, (0..count).collect())
        } else {
            let rows = page.rows(&source).unwrap_or(Rows::Groups(&[]));
            (rows, list.order(&page, rows, source.sequence, self.shares))
        };
        let follow = list.follow.clone();
        let visible = self.visible_rows();
        let step = self.step_mut();
        if let Some(key) = follow
            && !order
                .get(step.cursor)
                .is_some_and(|row| rows.row(*row as usize).is(&key))
            && let Some(found) = order
                .iter()
                .position(|row| rows.row(*row as usize).is(&key))
        {
            step.cursor = found;
        }
        step.cursor = step.cursor.min(order.len().saturating_sub(1));
        let lowest_top = (step.cursor + 1).saturating_sub(visible);
        let last_top = order.len().saturating_sub(visible);
        step.top = step
            .top
            .clamp(lowest_top, step.cursor)
            .min(last_top.max(lowest_top));
        self.order = order;
    }

    /// Tabs shown now: those with rows, and the current one.
    #[must_use]
    pub fn tabs(&self) -> Vec<View> {
        let shown = |view: &View| self.offers(*view);
        View::ALL.into_iter().filter(shown).collect()
    }

    /// Whether a view is there now.
    #[must_use]
    pub fn offers(&self, view: View) -> bool {
        view == self.view || view.has_rows(self.frame())
    }

    /// Whether an action is worth listing now: not the view that has no rows yet.
    #[must_use]
    pub fn lists(&self, action: Action) -> bool {
        match action {
            Action::View(view) => self.offers(view),
            Action::LayerMap => self.offers(View::Layers),
            Action::Play(_) => self.frame().playback.is_some(),
            _ => true,
        }
    }
}

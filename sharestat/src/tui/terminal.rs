//! The terminal as we want it, and back: raw mode, alternate screen, mouse. Restored when
//! dropped and when anything panics.

use std::{
    io::{self, BufWriter, Stdout, Write},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{DisableMouseCapture, EnableMouseCapture},
        execute,
        style::force_color_output,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
    layout::{Position, Rect},
};

use super::error::TuiError;

/// Whether the terminal is in our state now.
static ENTERED: AtomicBool = AtomicBool::new(false);
static PANIC_HOOK: Once = Once::new();

/// The terminal in our state.
pub(super) struct Screen {
    /// One write per picture: all output goes through a buffer.
    pub(super) terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    mouse: bool,
}

impl Screen {
    pub(super) fn enter(mouse: bool, colour: bool) -> Result<Self, TuiError> {
        PANIC_HOOK.call_once(|| {
            let previous = panic::take_hook();
            panic::set_hook(Box::new(move |panicked| {
                restore();
                previous(panicked);
            }));
        });
        // The theme has decided already; crossterm would decide by NO_COLOR once more.
        force_color_output(colour);
        let output = BufWriter::with_capacity(1 << 16, io::stdout());
        let terminal = Terminal::new(CrosstermBackend::new(output))
            .map_err(TuiError::terminal("asking for the size"))?;
        let mut screen = Self { terminal, mouse };
        screen.resume()?;
        Ok(screen)
    }

    /// Takes the terminal (again).
    pub(super) fn resume(&mut self) -> Result<(), TuiError> {
        ENTERED.store(true, Ordering::SeqCst);
        enable_raw_mode().map_err(TuiError::terminal("switching to raw mode"))?;
        execute!(io::stdout(), EnterAlternateScreen)
            .map_err(TuiError::terminal("opening the alternate screen"))?;
        self.set_mouse(self.mouse)?;
        self.clear()
    }

    /// Clears the terminal, so that the next picture is drawn as a whole. Not by
    /// `Terminal::clear`, which asks where the cursor is: a terminal that does not answer
    /// would end the program.
    pub(super) fn clear(&mut self) -> Result<(), TuiError> {
        let clearing = || TuiError::terminal("clearing");
        let size = self.terminal.size().map_err(clearing())?;
        let area = Rect::from((Position::ORIGIN, size));
        self.terminal.resize(area).map_err(clearing())
    }

    /// Gives the terminal back for a while.
    #[expect(
        clippy::unused_self,
        reason = "only who has the screen may give it back"
    )]
    pub(super) fn suspend(&mut self) {
        restore();
    }

    pub(super) fn set_mouse(&mut self, on: bool) -> Result<(), TuiError> {
        self.mouse = on;
        let mut output = io::stdout();
        let done = if on {
            execute!(output, EnableMouseCapture)
        } else {
            execute!(output, DisableMouseCapture)
        };
        done.map_err(TuiError::terminal("switching the mouse"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Errors are of no interest here: the terminal may be gone, which is why we leave.
fn restore() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        let mut output = io::stdout();
        let _ = execute!(output, DisableMouseCapture, LeaveAlternateScreen, Show);
        let _ = output.flush();
        let _ = disable_raw_mode();
    }
}

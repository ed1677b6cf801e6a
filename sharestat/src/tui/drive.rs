//! Drives the terminal: frames, keys and signals in, pictures and commands out.

use std::{path::PathBuf, sync::Arc, time::Duration, time::Instant};

use ratatui::{crossterm::event::Event, layout::Size};
use rustix::process::{Signal, getpid, kill_process};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    draw::{Hits, draw},
    error::TuiError,
    export,
    frame::{Command, Frame},
    input::Input,
    keys::KeyMap,
    list::List,
    state::{Effect, State},
    terminal::Screen,
    theme::{Role, Theme},
    units::Units,
};

/// How often the ages on the screen are brought up to date.
const TICK: Duration = Duration::from_millis(500);

/// Settings of the screen.
#[derive(Clone, Debug)]
pub struct Options {
    /// Colours and characters.
    pub theme: Theme,
    /// Keys.
    pub keys: KeyMap,
    /// How often frames come at first; the collector has been told already.
    pub refresh: Duration,
    /// How bytes are shown at first.
    pub units: Units,
    /// Whether mouse reports are on at first.
    pub mouse: bool,
    /// Directory that frames are written to.
    pub write_to: PathBuf,
    /// The list of files, sorted and filtered as it is to be at first.
    pub files: List,
}

/// Why the screen was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The user left.
    Quit,
    /// A signal of this number.
    Signal(i32),
    /// The collector dropped its side of the channel; it knows why.
    NoMoreFrames,
}

/// Shows frames until the user leaves, a signal comes or the collector ends. Blocks, with
/// a runtime of its own: call it on a thread of its own, and collection never waits for
/// drawing. Afterwards SIGTERM, SIGHUP and SIGINT are no longer fatal by themselves (tokio
/// keeps its handlers), so the process should end soon.
///
/// # Errors
/// When the terminal fails. It is restored in any case.
pub fn run(
    frames: watch::Receiver<Arc<Frame>>,
    commands: mpsc::Sender<Command>,
    options: Options,
) -> Result<Ended, TuiError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(TuiError::terminal("starting the event loop"))?;
    let ended = runtime.block_on(serve(frames, &commands, options));
    // A full or closed channel means that the collector ends anyway or is told otherwise.
    let _ = commands.try_send(Command::Quit);
    drop(commands);
    ended
}

async fn serve(
    mut frames: watch::Receiver<Arc<Frame>>,
    commands: &mpsc::Sender<Command>,
    options: Options,
) -> Result<Ended, TuiError> {
    let listen = |kind| signal(kind).map_err(TuiError::terminal("listening for signals"));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let Options {
        theme,
        keys,
        refresh,
        units,
        mouse,
        write_to,
        files,
    } = options;
    let first = Arc::clone(&frames.borrow_and_update());
    let mut state = State::new(theme, keys, refresh, first);
    (state.mouse, state.units) = (mouse, units);
    state.start_with(files);
    let mut screen = Screen::enter(mouse, theme.colour)?;
    let mut input = Input::start();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut hits = paint(&mut screen, &mut state)?;
    loop {
        let redraw = tokio::select! {
            biased;
            _ = terminate.recv() => return Ok(Ended::Signal(libc::SIGTERM)),
            _ = hangup.recv() => return Ok(Ended::Signal(libc::SIGHUP)),
            _ = interrupt.recv() => return Ok(Ended::Signal(libc::SIGINT)),
            event = input.events.recv() => {
                let mut next = event;
                // A burst of keys makes one picture.
                while let Some(event) = next {
                    let event = event.map_err(TuiError::terminal("reading keys"))?;
                    take(&mut state, &event, &hits);
                    next = input.events.try_recv().ok();
                }
                true
            }
            changed = frames.changed() => {
                if changed.is_err() {
                    return Ok(Ended::NoMoreFrames);
                }
                state.receive(Arc::clone(&frames.borrow_and_update()));
                true
            }
            _ = tick.tick() => state.expire(Instant::now()),
        };
        for effect in state.take_effects() {
            match effect {
                Effect::Quit => return Ok(Ended::Quit),
                Effect::Send(command) => {
                    if commands.try_send(command).is_err() {
                        let text = "the collector is busy: press the key again";
                        state.say(text, Role::Warning, Instant::now());
                    }
                }
                Effect::Write(frame) => write(&mut state, &frame, &write_to),
                Effect::Mouse(on) => screen.set_mouse(on)?,
                Effect::Clear => screen.clear()?,
                Effect::Suspend => suspend(&mut screen).await?,
            }
        }
        if redraw {
            hits = paint(&mut screen, &mut state)?;
        }
    }
}

fn take(state: &mut State, event: &Event, hits: &Hits) {
    let now = Instant::now();
    match event {
        Event::Key(key) => state.key(*key, now),
        Event::Mouse(mouse) => state.mouse(*mouse, hits, now),
        Event::Resize(..) | Event::FocusGained | Event::FocusLost | Event::Paste(_) => {}
    }
}

fn paint(screen: &mut Screen, state: &mut State) -> Result<Hits, TuiError> {
    let mut hits = Hits::new();
    let now = Instant::now();
    screen
        .terminal
        .draw(|canvas| {
            let area = canvas.area();
            state.prepare(Size::new(area.width, area.height));
            hits = draw(state, canvas, now);
        })
        .map_err(TuiError::terminal("drawing"))?;
    Ok(hits)
}

fn write(state: &mut State, frame: &Frame, directory: &std::path::Path) {
    let now = Instant::now();
    match export::write(frame, directory) {
        Ok(path) => state.say(
            format!("frame written to '{}'", path.display()),
            Role::Good,
            now,
        ),
        Err(error) => state.say(error.to_string(), Role::Bad, now),
    }
}

/// Stops the process as Ctrl-Z does, and takes the terminal again when it goes on.
async fn suspend(screen: &mut Screen) -> Result<(), TuiError> {
    let listening = TuiError::terminal("listening for signals");
    let mut resumed = signal(SignalKind::from_raw(libc::SIGCONT)).map_err(listening)?;
    screen.suspend();
    kill_process(getpid(), Signal::TSTP)
        .map_err(|error| TuiError::terminal("stopping")(error.into()))?;
    // Another thread may be the one that is stopped first; and without job control the
    // kernel ignores the signal, so this does not wait for ever.
    let _ = timeout(Duration::from_millis(500), resumed.recv()).await;
    screen.resume()
}

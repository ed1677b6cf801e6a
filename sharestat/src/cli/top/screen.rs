//! The screen: the collector on its own thread, the terminal on this one.

use std::{
    env,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tokio::sync::{mpsc, watch};

use super::{args::ShowArgs, config::Config, picture::Painter};
use crate::{
    cli::{
        args::Common,
        color::Color,
        exit::{Exit, Failure},
        runtime,
    },
    kernel::{Go, Live, Request, moment::Moment},
    model::inode::InodeId,
    report::Host,
    tui::{
        self, Ended, Options,
        frame::{Command, Derefs, Frame},
        list::List,
        theme::{ColourChoice, Theme},
    },
};

/// Commands that may wait: a person types them.
const WAITING: usize = 64;

type Asked = Arc<Mutex<Option<InodeId>>>;

/// Shows the frames that `collect` makes on a thread of its own, until one of them ends.
pub(super) fn show(
    collect: impl FnOnce(&watch::Sender<Arc<Frame>>, mpsc::Receiver<Command>) -> Result<(), Failure>
    + Send
    + 'static,
    options: Options,
) -> Result<Exit, Failure> {
    let (frames, shown) = watch::channel(Arc::new(Frame::empty()));
    let (commands, asked) = mpsc::channel(WAITING);
    let collector = thread::Builder::new()
        .name("collector".to_owned())
        .spawn(move || collect(&frames, asked))
        .map_err(|error| {
            Failure::new(Exit::Kernel, format!("cannot start the collector: {error}"))
        })?;
    let ended = tui::run(shown, commands, options);
    let collected = collector.join();
    // What made the collector end says more than that frames stopped coming.
    match collected {
        Ok(collected) => collected?,
        Err(_) => {
            return Err(Failure::new(
                Exit::Kernel,
                "the collector panicked; this is a defect of sharestat",
            ));
        }
    }
    match ended {
        Ok(Ended::Quit | Ended::NoMoreFrames) => Ok(Exit::Ok),
        Ok(Ended::Signal(_)) => Ok(Exit::Interrupted),
        Err(error) => Err(Failure::new(Exit::Kernel, error)),
    }
}

/// What the command line says, else the configuration file.
pub(super) fn options(
    arguments: &ShowArgs,
    common: &Common,
    config: Config,
    files: List,
) -> Options {
    let choice = match common.color {
        Color::Auto => match config.color {
            None => ColourChoice::Auto,
            Some(true) => ColourChoice::Always,
            Some(false) => ColourChoice::Never,
        },
        Color::Always => ColourChoice::Always,
        Color::Never => ColourChoice::Never,
    };
    Options {
        theme: Theme::detect(choice, arguments.ascii || config.ascii, |name| {
            env::var(name).ok()
        }),
        refresh: arguments.delay(&config),
        keys: config.keys,
        units: config.units,
        mouse: config.mouse,
        write_to: env::current_dir().unwrap_or_else(|_| env::temp_dir()),
        files,
    }
}

/// The collector's thread: measures, paints, publishes.
pub(super) fn measure(
    live: Live,
    derefs: Option<Arc<Derefs>>,
    frames: &watch::Sender<Arc<Frame>>,
    mut commands: mpsc::Receiver<Command>,
) -> Result<(), Failure> {
    let runtime = runtime::new()?;
    let explain = Asked::default();
    let (requests, requested) = mpsc::channel(WAITING);
    let mut painter = Painter::new(Host::read().name, derefs).of_this_machine();
    runtime.block_on(async {
        let asked = Arc::clone(&explain);
        let relay = async move {
            while let Some(command) = commands.recv().await {
                let request = match command {
                    Command::Refresh(every) => Request::Every(every),
                    Command::RefreshNow => Request::Now,
                    Command::Explain(inode) => {
                        *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(inode);
                        Request::Now
                    }
                    Command::Quit => Request::Stop,
                    // Nothing that is measured now can be played.
                    Command::Play(_) => continue,
                };
                if requests.send(request).await.is_err() {
                    break;
                }
            }
        };
        let measure = live.run(requested, |view| {
            let wanted = explain
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            let frame = painter.paint(&Moment::from(view), wanted);
            if frames.send(Arc::new(frame)).is_ok() {
                Go::On
            } else {
                Go::Stop
            }
        });
        tokio::pin!(measure);
        // Measuring that fails ends the screen, whoever still waits for keys.
        let measured = tokio::select! {
            measured = &mut measure => measured,
            () = relay => measure.await,
        };
        measured.map_err(Failure::from)
    })
}

//! `top --replay`: plays a recording on the screen or into a pipe.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    args::ShowArgs,
    config::{self, Config},
    is_on_screen,
    picture::Painter,
    screen,
    stream::Printer,
};
use crate::{
    cli::{
        args::Common,
        exit::{Exit, Failure},
        runtime,
    },
    kernel::Go,
    model::inode::InodeId,
    snapshot::recording::{Player, RecordingError, reader::Ending, reader::Reader},
    tui::{
        frame::{Command, Derefs, Frame, Play, Playback},
        list::List,
    },
};

/// Speeds that `+` and `-` step through, recorded seconds per second.
const SLOWEST: f64 = 0.125;
const FASTEST: f64 = 1024.0;
/// With fewer files than this the lists are made for every picture.
const FEW_FILES: usize = 5_000;
/// Longest time between two pictures of a recording that runs.
const LONGEST_STEP: Duration = Duration::from_millis(500);

pub(in super::super) fn failure(error: RecordingError) -> Failure {
    Failure::new(Exit::Usage, error)
}

/// Plays on the screen, or prints what the recording ends with.
pub(in super::super) fn run(
    reader: Reader,
    show: &ShowArgs,
    common: &Common,
    files: List,
    derefs: Option<Arc<Derefs>>,
) -> Result<Exit, Failure> {
    let player = Player::new(reader).map_err(failure)?;
    let name = player.header().host.name.clone();
    if !is_on_screen(show) {
        return print(player, show, common, &files);
    }
    let config = config::read()?;
    let every = show.delay(&config);
    screen::show(
        move |frames, commands| {
            Theatre::new(player, Painter::new(name, derefs), every).run(frames, commands)
        },
        screen::options(show, common, config, files),
    )
}

/// Pictures in a pipe: with `-n` so many of them, `--delay` of recorded time apart, else
/// one of the end.
fn print(
    mut player: Player,
    show: &ShowArgs,
    common: &Common,
    files: &List,
) -> Result<Exit, Failure> {
    if let Ending::Cut(how) = &player.outline().ending
        && !common.quiet
    {
        eprintln!("sharestat: the recording was {how}");
    }
    let mut printer = Printer::new(show, files, player.header().host.clone());
    let length = player.outline().length;
    let series = show.batch || show.iterations.is_some();
    let mut at = if series && !show.once {
        player.outline().begin
    } else {
        length
    };
    loop {
        player.go_to(at).map_err(failure)?;
        let go = if at >= length {
            // A recording that was cut may end while pages wait to be hashed.
            printer.take_as_it_is(&player.moment())
        } else {
            printer.take(&player.moment())
        };
        if go == Go::Stop || at >= length {
            if player.deviations() > 0 && !common.quiet {
                eprintln!(
                    "sharestat: {} recorded sums are not those of the replay: the recording or \
                     this version is wrong",
                    player.deviations()
                );
            }
            return printer.end(false);
        }
        at = (at + show.delay(&Config::default())).min(length);
    }
}

/// The recording, where it is and how fast it runs.
struct Theatre {
    player: Player,
    painter: Painter,
    /// Where it would be if every moment were recorded.
    at: Duration,
    speed: f64,
    paused: bool,
    every: Duration,
    explain: Option<InodeId>,
    /// Asked for last: explained again after a jump.
    explained: Option<InodeId>,
}

impl Theatre {
    fn new(player: Player, painter: Painter, every: Duration) -> Self {
        let begin = player.outline().begin;
        Self {
            at: begin,
            player,
            painter: painter.counted_at(begin),
            speed: 1.0,
            paused: false,
            every,
            explain: None,
            explained: None,
        }
    }

    fn run(
        mut self,
        frames: &watch::Sender<Arc<Frame>>,
        mut commands: mpsc::Receiver<Command>,
    ) -> Result<(), Failure> {
        let runtime = runtime::new()?;
        self.jump(self.at)?;
        if frames.send(Arc::new(self.frame())).is_err() {
            return Ok(());
        }
        runtime.block_on(async {
            loop {
                let begun = Instant::now();
                let wait = self.every.min(LONGEST_STEP);
                match timeout(wait, commands.recv()).await {
                    Ok(None | Some(Command::Quit)) => return Ok(()),
                    Ok(Some(command)) => {
                        self.play_on(begun.elapsed())?;
                        self.obey(command)?;
                    }
                    Err(_) if self.paused => continue,
                    Err(_) => self.play_on(begun.elapsed())?,
                }
                if frames.send(Arc::new(self.frame())).is_err() {
                    return Ok(());
                }
            }
        })
    }

    /// Plays what belongs to this much time.
    fn play_on(&mut self, time: Duration) -> Result<(), Failure> {
        if self.paused {
            return Ok(());
        }
        let length = self.player.outline().length;
        self.at = (self.at + time.mul_f64(self.speed)).min(length);
        self.player.go_to(self.at).map_err(failure)?;
        self.paused = self.at == length;
        Ok(())
    }

    fn obey(&mut self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Refresh(every) => self.every = every,
            Command::RefreshNow | Command::Quit => {}
            Command::Explain(inode) => {
                (self.explain, self.explained) = (Some(inode), Some(inode));
            }
            Command::Play(Play::Pause) => {
                if self.paused && self.at == self.player.outline().length {
                    self.jump(self.player.outline().begin)?;
                }
                self.paused = !self.paused;
            }
            Command::Play(Play::Step) => {
                let next = self.player.next_moment();
                (self.paused, self.at) = (true, next.unwrap_or(self.at));
                self.player.go_to(self.at).map_err(failure)?;
            }
            Command::Play(Play::StepBack) => {
                self.paused = true;
                let before = self.player.moment_before().unwrap_or_default();
                self.jump(before)?;
            }
            Command::Play(Play::Seek(seconds)) => {
                let distance = Duration::from_secs(u64::from(seconds.unsigned_abs()));
                let to = if seconds < 0 {
                    self.at.saturating_sub(distance)
                } else {
                    self.at.saturating_add(distance)
                };
                self.jump(to)?;
            }
            Command::Play(Play::Start) => self.jump(self.player.outline().begin)?,
            Command::Play(Play::Faster) => self.speed = (self.speed * 2.0).min(FASTEST),
            Command::Play(Play::Slower) => self.speed = (self.speed / 2.0).max(SLOWEST),
        }
        Ok(())
    }

    /// Goes there, so that rates are of the time just before it.
    fn jump(&mut self, to: Duration) -> Result<(), Failure> {
        self.at = to.min(self.player.outline().length);
        self.painter.forget();
        self.explain = self.explained;
        let before = self.at.saturating_sub(Duration::from_secs(1));
        self.player.go_to(before).map_err(failure)?;
        self.painter.paint(&self.player.moment(), None);
        self.painter.forget_lists();
        self.player.go_to(self.at).map_err(failure)
    }

    fn frame(&mut self) -> Frame {
        let outline = self.player.outline();
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let playback = Playback {
            position_ms: milliseconds(self.at),
            length_ms: milliseconds(outline.length),
            speed: self.speed,
            paused: self.paused,
            cut: match &outline.ending {
                Ending::Whole(_) => None,
                Ending::Cut(how) => Some(how.clone()),
            },
        };
        // Nothing else needs the time, or it takes little.
        let files = self.player.moment().measurement.identity.files.len();
        if self.paused || files < FEW_FILES {
            self.painter.forget_lists();
        }
        let explain = self.explain.take();
        Frame {
            playback: Some(playback),
            ..self.painter.paint(&self.player.moment(), explain)
        }
    }
}

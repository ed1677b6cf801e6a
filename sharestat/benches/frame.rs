//! How long the screen takes for a picture of 200,000 files: a new frame, which sorts them,
//! then moving, filtering and sorting within it. A release build; `cargo xtask bench` and
//! `cargo bench --bench frame` run it. Fails when moving takes more than 16 ms.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    layout::Size,
};
use sharestat::{
    model::{inode::InodeId, units::Bytes},
    tui::{
        draw::draw,
        frame::{FileRow, Frame},
        keys::KeyMap,
        state::State,
        theme::Theme,
    },
};

const FILES: u32 = 200_000;
const SIZE: (u16, u16) = (200, 60);
const ROUNDS: u32 = 50;
/// A picture at 60 Hz.
const MOST: Duration = Duration::from_millis(16);

fn main() -> ExitCode {
    let mut terminal = match Terminal::new(TestBackend::new(SIZE.0, SIZE.1)) {
        Ok(terminal) => terminal,
        Err(error) => panic!("the test backend has no terminal: {error}"),
    };
    let theme = Theme::new(true, false);
    let mut state = State::new(
        theme,
        KeyMap::default(),
        Duration::from_secs(2),
        Arc::new(frame(1)),
    );
    key(&mut state, KeyCode::Char('2'));
    paint(&mut state, &mut terminal);
    println!("{FILES} files on {} by {}", SIZE.0, SIZE.1);
    let mut sequence = 1;
    let fresh = median(|| {
        sequence += 1;
        state.receive(Arc::new(frame(sequence)));
        timed(|| paint(&mut state, &mut terminal))
    });
    println!(
        "{:>9.2} ms  a new frame: filtered, sorted and drawn",
        ms(fresh)
    );
    let mut worst = Duration::ZERO;
    for code in [
        KeyCode::Down,
        KeyCode::PageDown,
        KeyCode::End,
        KeyCode::PageUp,
        KeyCode::Home,
    ] {
        let time = median(|| {
            timed(|| {
                key(&mut state, code);
                paint(&mut state, &mut terminal);
            })
        });
        println!("{:>9.2} ms  {code}", ms(time));
        worst = worst.max(time);
    }
    for (code, what) in [('S', "sorted anew by a size"), ('P', "sorted anew by path")] {
        let time = median(|| {
            timed(|| {
                key(&mut state, KeyCode::Char(code));
                paint(&mut state, &mut terminal);
            })
        });
        println!("{:>9.2} ms  {what}", ms(time));
    }
    if worst > MOST {
        println!("moving takes more than {} ms", MOST.as_millis());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn key(state: &mut State, code: KeyCode) {
    state.key(KeyEvent::new(code, KeyModifiers::NONE), Instant::now());
}

fn paint(state: &mut State, terminal: &mut Terminal<TestBackend>) {
    state.prepare(Size::new(SIZE.0, SIZE.1));
    let now = Instant::now();
    let drawn = terminal.draw(|canvas| {
        draw(state, canvas, now);
    });
    assert!(drawn.is_ok(), "the test backend draws");
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(mut once: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| once()).collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn frame(sequence: u64) -> Frame {
    let files = (0..FILES).map(|number| {
        let size = u64::from(number.wrapping_mul(2_654_435_761) >> 12) * 4096;
        FileRow {
            inode: InodeId(number),
            path: format!(
                "/var/lib/containers/overlay/{:x}/diff/usr/lib/{number}.so",
                number % 97
            )
            .into(),
            fs: "xfs".into(),
            filesystem: "8:1".into(),
            layer: None,
            resident: Bytes(size),
            hashed: Bytes(size),
            duplicate: Bytes(size / 2),
            exclusive: Bytes(size / 3),
            saving: Bytes(size / 5 + sequence),
            zero: Bytes(0),
        }
    });
    Frame {
        sequence,
        files: files.collect(),
        ..Frame::empty()
    }
}

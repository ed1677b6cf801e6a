//! How long the screen takes for a picture when there are 200,000 files in 2,000 layers: in
//! every view, moving, folding and drawing; and when lists are new, which sorts them. A
//! release build; `cargo xtask bench frame` makes rows of what this prints.

use std::{
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
        frame::{
            CopyRow, DerefRow, Derefs, Explanation, FileRow, Frame, GroupRow, Histogram, Identity,
            PairRow,
        },
        keys::KeyMap,
        state::State,
        theme::Theme,
    },
};

const FILES: u32 = 200_000;
const LAYERS: u32 = 2_000;
const SIZE: (u16, u16) = (200, 60);
const ROUNDS: u32 = 30;

/// Keys that move, each followed by a picture.
const MOVES: [KeyCode; 6] = [
    KeyCode::Down,
    KeyCode::PageDown,
    KeyCode::End,
    KeyCode::Up,
    KeyCode::PageUp,
    KeyCode::Home,
];

/// Keys that lead from the overview to each view.
const VIEWS: [(&str, &str); 15] = [
    ("Overview", "1"),
    ("Files", "2"),
    ("Layers", "3"),
    ("Images", "4"),
    ("Containers", "5"),
    ("Filesystems", "6"),
    ("Events", "7"),
    ("Health", "8"),
    ("Derefs", "9"),
    ("layer map", "x"),
    ("files of a filesystem", "6\n"),
    ("copies of a file", "2\n"),
    ("tree of files", "2t"),
    ("tree of files, unfolded", "2t*"),
    ("tree of images, unfolded", "4t*"),
];

fn main() {
    let mut terminal = match Terminal::new(TestBackend::new(SIZE.0, SIZE.1)) {
        Ok(terminal) => terminal,
        Err(error) => panic!("the test backend has no terminal: {error}"),
    };
    let first = Arc::new(frame(1));
    println!("{FILES} files, {LAYERS} layers on {} by {}", SIZE.0, SIZE.1);
    let mut worst = (Duration::ZERO, "");
    for (view, keys) in VIEWS {
        let mut state = state(&first);
        keys.chars()
            .for_each(|letter| key(&mut state, code(letter)));
        paint(&mut state, &mut terminal);
        let mut slowest = Duration::ZERO;
        for code in MOVES {
            slowest = slowest.max(slow(|| {
                key(&mut state, code);
                paint(&mut state, &mut terminal);
            }));
        }
        println!("{:>9.2} ms  moving in {view}", ms(slowest));
        worst = worst.max((slowest, view));
    }
    println!("{:>9.2} ms  worst, in {}", ms(worst.0), worst.1);
    for (what, keys) in [("files", "2"), ("a tree of files, unfolded", "2t*")] {
        let mut state = state(&first);
        keys.chars()
            .for_each(|letter| key(&mut state, code(letter)));
        paint(&mut state, &mut terminal);
        let mut sequence = 1;
        let fresh = median((0..ROUNDS / 3).map(|_| {
            sequence += 1;
            state.receive(Arc::new(frame(sequence)));
            timed(|| paint(&mut state, &mut terminal))
        }));
        println!("{:>9.2} ms  new lists in {what}", ms(fresh));
    }
    let mut state = state(&first);
    key(&mut state, code('2'));
    for (letter, what) in [('S', "by a size"), ('P', "by path")] {
        let time = median((0..ROUNDS / 3).map(|_| {
            timed(|| {
                key(&mut state, code(letter));
                paint(&mut state, &mut terminal);
            })
        }));
        println!("{:>9.2} ms  sorted anew {what}", ms(time));
    }
}

fn state(frame: &Arc<Frame>) -> State {
    let (theme, keys) = (Theme::new(true, false), KeyMap::default());
    let mut state = State::new(theme, keys, Duration::from_secs(2), Arc::clone(frame));
    state.prepare(Size::new(SIZE.0, SIZE.1));
    state
}

fn code(letter: char) -> KeyCode {
    match letter {
        '\n' => KeyCode::Enter,
        letter => KeyCode::Char(letter),
    }
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

/// The time that nine of ten take at most: one in ten may be the scheduler's.
fn slow(mut once: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| timed(&mut once)).collect();
    times.sort_unstable();
    times[times.len() * 9 / 10]
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn file(number: u32, sequence: u64) -> FileRow {
    let size = u64::from(number.wrapping_mul(2_654_435_761) >> 12) * 4096;
    let layer = number % LAYERS;
    FileRow {
        inode: InodeId(number),
        path: format!(
            "/var/lib/containers/overlay/{layer:x}/diff/usr/lib/{:x}/{number}.so",
            number % 97
        )
        .into(),
        fs: "xfs".into(),
        filesystem: "8:1".into(),
        layer: Some(layer.to_string().into()),
        resident: Bytes(size),
        hashed: Bytes(size),
        duplicate: Bytes(size / 2),
        exclusive: Bytes(size / 3),
        saving: Bytes(size / 5 + sequence),
        zero: Bytes(0),
    }
}

fn group(number: u32, layers: &[u32]) -> GroupRow {
    let size = u64::from(number) * 40_960;
    GroupRow {
        id: number.to_string().into(),
        name: format!("group {number}").into(),
        directory: "".into(),
        kind: "podman".into(),
        layers: layers
            .iter()
            .map(|layer| layer.to_string().into())
            .collect(),
        resident: Bytes(size),
        duplicate: Bytes(size / 2),
        exclusive: Bytes(size / 3),
        saving: Bytes(size / 5),
        zero: Bytes(0),
        proportional: Some(Bytes(size)),
        charged: Some(Bytes(size)),
        container: None,
        avoidable: None,
    }
}

fn frame(sequence: u64) -> Frame {
    let owners: Arc<[GroupRow]> = (0..500)
        .map(|number| group(number, &[number, number + 1, 0]))
        .collect();
    let filesystem = GroupRow {
        id: "8:1".into(),
        ..group(1, &[])
    };
    let pair = |number: u32| PairRow {
        one: number.to_string().into(),
        other: (number * 7 % LAYERS).to_string().into(),
        shared: Bytes(u64::from(number) << 12),
    };
    let copy = |number| CopyRow {
        inode: InodeId(number),
        path: format!("/srv/copy/{number}").into(),
        fs: "xfs".into(),
        layer: None,
        since: None,
        shared: Bytes(4096),
    };
    // Opened first: sorted by saving, the file that saves most.
    let largest = (0..FILES).max_by_key(|number| file(*number, 0).saving);
    Frame {
        sequence,
        files: (0..FILES).map(|number| file(number, sequence)).collect(),
        filesystems: Arc::from([filesystem]),
        identity: Identity {
            missing: None,
            layers: (0..LAYERS).map(|number| group(number, &[])).collect(),
            images: Arc::clone(&owners),
            containers: owners,
            memcgs: Arc::from([]),
            pairs: (1..LAYERS).map(pair).collect(),
        },
        histograms: (0..6)
            .map(|number| Histogram {
                name: format!("histogram {number}"),
                unit: "ns".to_owned(),
                bars: (0..20).map(|bar| (1 << bar, bar * 100)).collect(),
            })
            .collect(),
        derefs: Some(Arc::new(Derefs {
            source: "derefs.json".to_owned(),
            facts: Vec::new(),
            sites: (0..1_000)
                .map(|number: u64| DerefRow {
                    id: number.to_string().into(),
                    site: format!("function_{number}+0x10").into(),
                    access: "load".into(),
                    context: "direct".into(),
                    subsystem: "mm".into(),
                    hits: number,
                    shareable: number / 2,
                    details: Vec::new(),
                    stack: Vec::new(),
                })
                .collect(),
        })),
        explained: largest.map(|number| Explanation {
            inode: InodeId(number),
            copies: (0..200).map(copy).collect(),
        }),
        ..Frame::empty()
    }
}

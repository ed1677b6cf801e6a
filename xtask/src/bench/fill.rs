//! What reading files costs with `top` running, against without, in turns; and the same
//! with the page-cache tools of bcc.

use std::{
    fs::File,
    io::Read as _,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::Result;
use serde_json::Value;

use super::{
    Setting, reader,
    row::{Row, Target},
    stats::{median, median_ratio},
    top::Top,
};

/// Reads of each file between two starts of the other program.
const READS: usize = 3;
/// Reports, one a second, that are waited for until all is hashed.
const PATIENCE: usize = 30;

/// Makes the rows.
pub(super) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let sparse = reader::sparse(&setting.folder)?;
    let solid = reader::solid(&setting.folder)?;
    let mut rows = Vec::new();
    let start_top = || Top::start(&setting.binary, &["-d", "1"]).and_then(settled);
    let pairs = compare(setting, &sparse, start_top)?;
    rows.push(on_processor(
        "read a sparse file with top",
        &pairs,
        Target::AtMost(1.10),
    ));
    let pairs = compare(setting, &solid, start_top)?;
    rows.push(real("read from disk with top", &pairs));
    rows.push(on_processor(
        "read from disk with top, processor",
        &pairs,
        Target::None,
    ));
    for tool in ["cachestat-bpfcc", "cachestat"] {
        let what = format!("read a sparse file with {tool}");
        rows.push(match trial(tool) {
            Ok(()) => {
                let pairs = compare(setting, &sparse, || Other::start(tool))?;
                on_processor(&what, &pairs, Target::None)
            }
            Err(why) => Row::absent(&what, &why),
        });
    }
    Ok(rows)
}

/// Lets it end its census and hash what waits first, as far as that ever ends.
fn settled(mut top: Top) -> Result<Top> {
    for _ in 0..PATIENCE {
        let report = top.report()?;
        let waiting = report.pointer("/coverage/skipped/budget");
        if waiting.and_then(Value::as_u64) == Some(0) {
            break;
        }
    }
    top.read_for(Duration::from_secs(2))?;
    Ok(top)
}

/// Costs of reading with the other program and without, pair by pair.
fn compare<T>(
    setting: &Setting,
    file: &File,
    start: impl Fn() -> Result<T>,
) -> Result<Vec<(reader::Cost, reader::Cost)>> {
    let read = || reader::read_cold_often(file, READS);
    let mut pairs = Vec::new();
    read()?;
    for round in 1..=setting.rounds {
        eprintln!("  round {round} of {}", setting.rounds);
        let without = read()?;
        let other = start()?;
        let with = read()?;
        drop(other);
        pairs.extend(with.into_iter().zip(without));
    }
    Ok(pairs)
}

fn row(what: &str, pairs: &[(f64, f64)], target: Target, note: &str) -> Row {
    let rate = |pick: fn(&(f64, f64)) -> f64| {
        let seconds = median(&pairs.iter().map(pick).collect::<Vec<_>>());
        let mebibytes: f64 = num(reader::BYTES >> 20);
        format!("{:.0} MiB/s", mebibytes / seconds)
    };
    Row {
        what: what.to_owned(),
        ours: rate(|pair| pair.0),
        other: format!("without {}", rate(|pair| pair.1)),
        value: Some(median_ratio(pairs)),
        target,
        note: note.to_owned(),
    }
}

fn num(value: u64) -> f64 {
    u32::try_from(value).map_or(f64::MAX, f64::from)
}

/// A comparison by time on a processor, which a busy machine does not change.
fn on_processor(what: &str, pairs: &[(reader::Cost, reader::Cost)], target: Target) -> Row {
    let pairs: Vec<(f64, f64)> = pairs
        .iter()
        .map(|(with, without)| (with.on_processor, without.on_processor))
        .collect();
    row(what, &pairs, target, "processor time of the reader")
}

/// A comparison by real time.
fn real(what: &str, pairs: &[(reader::Cost, reader::Cost)]) -> Row {
    let pairs: Vec<(f64, f64)> = pairs
        .iter()
        .map(|(with, without)| (with.real, without.real))
        .collect();
    row(
        what,
        &pairs,
        Target::AtMost(1.02),
        "real time, the reader at real-time priority",
    )
}

/// A tool that prints once a second until it is ended.
struct Other {
    child: Child,
}

impl Other {
    fn start(tool: &str) -> Result<Self> {
        let child = Command::new(tool)
            .arg("1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        thread::sleep(Duration::from_secs(5));
        Ok(Self { child })
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `tool` runs here; why not, when it does not.
fn trial(tool: &str) -> std::result::Result<(), String> {
    let mut child = Command::new(tool)
        .args(["1", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            format!("'{tool}' cannot be started: {error}; by hand: apt-get install bpfcc-tools libbpf-tools")
        })?;
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut said);
    }
    let ended = child.wait().map_err(|error| error.to_string())?;
    let reason = said.lines().rfind(|line| !line.trim().is_empty());
    match reason {
        _ if ended.success() => Ok(()),
        reason => Err(reason
            .unwrap_or("it failed without a word")
            .trim()
            .to_owned()),
    }
}

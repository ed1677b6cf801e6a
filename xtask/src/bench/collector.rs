//! What `top` itself takes: memory, time on a processor, and time to its first number.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    Setting,
    row::{Row, Target},
    stats::median,
    top::{Top, prompt},
};

/// Memory that does not depend on the cache.
const FIXED_BYTES: f64 = 67_108_864.0;
/// Time after which the census, hashing, and the lists that follow them are long over.
const SETTLED: Duration = Duration::from_mins(1);
/// Time in which nothing happens but what other programs do.
const IDLE: Duration = Duration::from_mins(1);
/// Ticks of `/proc/PID/stat` in a second (`USER_HZ`, the same on every architecture).
const TICKS: f64 = 100.0;

/// Makes the rows.
pub(super) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let mut firsts = Vec::new();
    for _ in 0..setting.rounds {
        firsts.push(
            Top::start_prompt(&setting.binary, &["-d", "1"])?
                .first
                .as_secs_f64(),
        );
    }
    let mut rows = vec![first_number("first report of top -b", &firsts)];
    let painted: Result<Vec<f64>> = (0..setting.rounds)
        .map(|_| painted(&setting.binary))
        .collect();
    rows.push(match painted {
        Ok(times) => first_number("first number of top on a terminal", &times),
        Err(error) => Row::failed("first number of top on a terminal", &error),
    });
    let mut top = Top::start(&setting.binary, &["-d", "2"])?;
    let report = top.read_for(Duration::from_secs(5))?;
    rows.push(memory(top.id(), &report)?);
    drop(top);
    rows.push(idle(&setting.binary)?);
    Ok(rows)
}

/// Processor time of `top -b` as text, once its census and hashing are long over.
fn idle(binary: &Path) -> Result<Row> {
    let mut child = Command::new(binary)
        .args(["top", "-b", "-d", "2"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("'sharestat' cannot be started")?;
    thread::sleep(SETTLED);
    let before = processor_seconds(child.id());
    let moved_before = disk_kibibytes();
    thread::sleep(IDLE);
    let after = processor_seconds(child.id());
    let moved = disk_kibibytes() - moved_before;
    let _ = child.kill();
    let _ = child.wait();
    let share = 100.0 * (after? - before?) / IDLE.as_secs_f64();
    Ok(Row {
        what: "processor time of idle top".to_owned(),
        ours: format!("{share:.2} %"),
        other: String::new(),
        value: Some(share),
        target: Target::AtMost(1.0),
        note: format!(
            "percent of one processor; meanwhile others moved {:.0} MiB to and from disks",
            moved / 1024.0
        ),
    })
}

/// KiB read from and written to disks so far (`pgpgin`, `pgpgout` of `/proc/vmstat`): how
/// idle the machine is.
fn disk_kibibytes() -> f64 {
    fs::read_to_string("/proc/vmstat")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(' ')?;
            ["pgpgin", "pgpgout"]
                .contains(&name)
                .then(|| value.parse::<f64>().ok())?
        })
        .sum::<f64>()
}

fn first_number(what: &str, times: &[f64]) -> Row {
    let middle = median(times);
    Row {
        what: what.to_owned(),
        ours: format!("{middle:.2} s"),
        other: String::new(),
        value: Some(middle),
        target: Target::AtMost(1.0),
        note: "from the start of the program, at real-time priority".to_owned(),
    }
}

fn memory(process: u32, report: &Value) -> Result<Row> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))
        .context("'top' ended while it was measured")?;
    let resident: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.trim().trim_end_matches(" kB").parse::<f64>().ok())
        .context("the kernel does not tell the memory of a process")?
        * 1024.0;
    let pages = report
        .pointer("/coverage/resident_pages")
        .and_then(Value::as_f64)
        .context("a report without 'resident_pages'")?;
    Ok(Row {
        what: "memory of top per cached page".to_owned(),
        ours: format!("{:.0} MiB", resident / 1_048_576.0),
        other: format!("{:.2} M pages", pages / 1e6),
        value: Some((resident - FIXED_BYTES).max(0.0) / pages),
        target: Target::AtMost(32.0),
        note: "bytes per page beyond 64 MiB".to_owned(),
    })
}

/// Time that a process was on a processor, in seconds.
fn processor_seconds(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))
        .context("'top' ended while it was measured")?;
    // The name in parentheses may hold anything; user and system time are the 12th and
    // 13th field after it (proc_pid_stat(5)).
    let fields = stat.rsplit(')').next().unwrap_or_default();
    Ok(fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS)
}

/// Seconds until `top` paints a size on a terminal, which `script` provides.
fn painted(binary: &Path) -> Result<f64> {
    let begun = Instant::now();
    let mut child = prompt("script")
        .args(["--quiet", "--flush", "--return", "--command"])
        .arg(format!(
            "stty cols 100 rows 30; exec '{}' top",
            binary.display()
        ))
        .arg("/dev/null")
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("'script' of util-linux cannot be started")?;
    let mut screen = Vec::new();
    let mut chunk = [0; 4096];
    let mut output = child.stdout.take().context("'script' has no output")?;
    let mut keys = child.stdin.take().context("'script' has no input")?;
    let mut asked = false;
    let found = loop {
        let read = output.read(&mut chunk).unwrap_or(0);
        screen.extend_from_slice(&chunk[..read]);
        if !asked && holds(&screen, WHERE_IS_THE_CURSOR) {
            asked = true;
            let _ = keys.write_all(b"\x1b[1;1R");
        }
        if shows_a_size(&screen) {
            break Some(begun.elapsed().as_secs_f64());
        }
        if read == 0 || begun.elapsed() > Duration::from_secs(30) {
            break None;
        }
    };
    // Without keys it would wait for ever.
    let _ = keys.write_all(b"q");
    drop(keys);
    let _ = std::io::copy(&mut output, &mut std::io::sink());
    let _ = child.wait();
    found.context("'top' painted no size within 30 s")
}

/// What a program sends to ask a terminal for the place of its cursor (DSR 6).
const WHERE_IS_THE_CURSOR: &[u8] = b"\x1b[6n";

fn holds(screen: &[u8], words: &[u8]) -> bool {
    screen.windows(words.len()).any(|window| window == words)
}

/// Whether the text holds a number of MiB or GiB.
fn shows_a_size(screen: &[u8]) -> bool {
    [b"MiB", b"GiB"].iter().any(|unit| {
        screen
            .windows(unit.len())
            .enumerate()
            .filter(|(_, window)| window == unit)
            .any(|(place, _)| screen[..place].iter().rev().take(3).any(u8::is_ascii_digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_before_its_unit() {
        assert!(shows_a_size(b"\x1b[1m 7.3 GiB"));
        assert!(!shows_a_size(b"Size in MiB"));
    }
}

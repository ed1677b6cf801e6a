//! What a user would do today, on the same files with a warm cache: look for duplicate
//! files, or ask which files are cached.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result};

use super::{
    Setting,
    row::{Row, Target},
    stats::{median, median_ratio},
};
use crate::{cache::Cache, process::Run};

/// Files, and bytes of each; every second one equals the one before it.
const FILES: usize = 128;
const BYTES: usize = 4 << 20;

/// A program to compare with.
struct Peer {
    name: &'static str,
    arguments: &'static [&'static str],
    /// What it answers.
    answers: &'static str,
    /// How to get it.
    by_hand: &'static str,
}

const PEERS: [Peer; 4] = [
    Peer {
        name: "fclones",
        arguments: &["group"],
        answers: "equal files",
        by_hand: "cargo install fclones --locked",
    },
    Peer {
        name: "jdupes",
        arguments: &["--recurse", "--quiet"],
        answers: "equal files",
        by_hand: "apt-get install jdupes",
    },
    Peer {
        name: "rmlint",
        arguments: &["--output", "summary:stdout"],
        answers: "equal files",
        by_hand: "apt-get install rmlint",
    },
    Peer {
        name: "vmtouch",
        arguments: &["-q"],
        answers: "residency alone",
        by_hand: "apt-get install vmtouch",
    },
];

/// Makes the rows.
pub(super) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir_in(&setting.folder).context("no folder can be made")?;
    let files = folder.path().join("files");
    fill(&files)?;
    let scan: &[&str] = &["scan", "--quiet", "--top", "20", "--path"];
    let mut rows = Vec::new();
    for peer in &PEERS {
        let row = beside(setting, peer, "scan", scan, &files)?;
        rows.push(Row {
            target: Target::None,
            ..row
        });
    }
    // Unpacked images are directories to 'image': no kernel is asked, files are read.
    let image: &[&str] = &["image", "--quiet", "--top", "20"];
    rows.push(beside(setting, &PEERS[0], "image", image, &files)?);
    Ok(rows)
}

/// A command of ours and a peer on the same files, in turns. The target is to be as fast.
fn beside(
    setting: &Setting,
    peer: &Peer,
    command: &str,
    arguments: &[&str],
    files: &Path,
) -> Result<Row> {
    let what = format!(
        "{command} of {} MiB beside {}",
        (FILES * BYTES) >> 20,
        peer.name
    );
    let Some(program) = find(peer.name) else {
        let why = format!("not installed; by hand: {}", peer.by_hand);
        return Ok(Row::absent(&what, &why));
    };
    let mut pairs = Vec::new();
    for _ in 0..setting.rounds {
        let theirs = timed(
            Command::new(&program)
                .args(peer.arguments)
                .arg(files)
                .current_dir(&setting.folder),
        )?;
        let ours = timed(Command::new(&setting.binary).args(arguments).arg(files))?;
        pairs.push((theirs, ours));
    }
    let seconds = |pick: fn(&(f64, f64)) -> f64| {
        format!(
            "{:.2} s",
            median(&pairs.iter().map(pick).collect::<Vec<_>>())
        )
    };
    Ok(Row {
        what,
        ours: seconds(|pair| pair.1),
        other: format!("{} {}", peer.name, seconds(|pair| pair.0)),
        value: Some(median_ratio(&pairs)),
        target: Target::AtLeast(1.0),
        note: format!("times as fast; it tells {}", peer.answers),
    })
}

/// Files of random bytes, in pairs, written and left in the cache.
fn fill(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("'{}' cannot be made", folder.display()))?;
    let mut random = File::open("/dev/urandom").context("'/dev/urandom' cannot be read")?;
    let mut bytes = vec![0; BYTES];
    for number in 0..FILES {
        if number % 2 == 0 {
            random
                .read_exact(&mut bytes)
                .context("'/dev/urandom' cannot be read")?;
        }
        let path = folder.join(format!("{number:03}"));
        File::create(&path)
            .and_then(|mut file| {
                file.write_all(&bytes)?;
                // What is dirty would not be measured.
                file.sync_all()
            })
            .with_context(|| format!("'{}' cannot be written", path.display()))?;
    }
    Ok(())
}

fn timed(command: &mut Command) -> Result<f64> {
    let begun = Instant::now();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.run()?;
    Ok(begun.elapsed().as_secs_f64())
}

/// A program in the cache (`bench-peers/NAME/bin/NAME`) or in the search path.
fn find(name: &str) -> Option<PathBuf> {
    let cached = Cache::open()
        .ok()?
        .path(format!("bench-peers/{name}/bin/{name}"));
    let search = std::env::var_os("PATH")?;
    std::iter::once(cached)
        .chain(std::env::split_paths(&search).map(|folder| folder.join(name)))
        .find(|path| path.is_file())
}

//! Fuzzing led by coverage: libFuzzer over the parsers that `sharestat::fuzzing` lists, each
//! for some time. A crash, a hang or too much memory fails, and leaves the input.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    process::{Run, last_lines},
    workspace,
};

/// Longest input, bytes; as in the tests' mutations.
const LONGEST: usize = 64 << 10;

/// `cargo xtask fuzz`.
#[derive(Args)]
pub(crate) struct Options {
    /// Parsers to feed, by the names of their folders in sharestat/fuzz/corpus; all without
    targets: Vec<String>,
    /// Seconds for each of them
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Add to the committed corpus what reaches code that it does not reach yet
    #[arg(long)]
    keep: bool,
}

/// Builds the fuzzing program and runs it for each target.
///
/// # Errors
/// When it cannot be built, there is no such target, or one of them fails.
pub(crate) fn run(options: &Options) -> Result<i32> {
    let known = targets()?;
    for name in &options.targets {
        if !known.contains(name) {
            bail!(
                "there is no target '{name}'; there are: {}",
                known.join(", ")
            );
        }
    }
    let binary = build()?;
    let chosen = if options.targets.is_empty() {
        known
    } else {
        options.targets.clone()
    };
    let mut failed = Vec::new();
    for name in &chosen {
        let target = Target {
            name,
            binary: &binary,
        };
        println!(
            "{name}: {}",
            target.fuzz(options.seconds)?.unwrap_or_else(|| {
                failed.push(name.clone());
                "FAILED".to_owned()
            })
        );
        if options.keep {
            target.keep()?;
        }
    }
    if failed.is_empty() {
        return Ok(0);
    }
    println!(
        "failed: {}; the inputs are in '{}'",
        failed.join(", "),
        place("failed").display()
    );
    Ok(1)
}

fn corpus() -> PathBuf {
    workspace::root().join("sharestat/fuzz/corpus")
}

fn place(name: &str) -> PathBuf {
    workspace::target("fuzz").join(name)
}

/// The targets, by their corpora: the tests see to it that each has one.
fn targets() -> Result<Vec<String>> {
    let folders = fs::read_dir(corpus()).context("there are no corpora")?;
    let mut names: Vec<String> = folders
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// Builds the fuzzing program, which differs from the tests' build in sharestat alone.
fn build() -> Result<PathBuf> {
    let folder = workspace::root().join("sharestat/fuzz");
    workspace::cargo("build")
        .current_dir(&folder)
        .arg("--target-dir")
        .arg(workspace::target(""))
        .env("RUSTC_WRAPPER", folder.join("rustc.sh"))
        .run()
        .context("the fuzzing program cannot be built; libFuzzer needs a C++ compiler ('g++')")?;
    Ok(workspace::target("debug/sharestat-fuzz"))
}

/// One target.
struct Target<'t> {
    name: &'t str,
    binary: &'t PathBuf,
}

impl Target<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(self.binary);
        command
            .env("SHARESTAT_FUZZ_TARGET", self.name)
            .arg(format!("-max_len={LONGEST}"));
        command
    }

    /// Feeds it; how much, as libFuzzer says, `None` when it failed.
    fn fuzz(&self, seconds: u32) -> Result<Option<String>> {
        let (found, failed) = (place("found").join(self.name), place("failed"));
        for folder in [&found, &failed] {
            fs::create_dir_all(folder)
                .with_context(|| format!("'{}' cannot be made", folder.display()))?;
        }
        let output = self
            .command()
            .arg(format!("-max_total_time={seconds}"))
            .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=0"])
            .arg(format!(
                "-artifact_prefix={}/{}-",
                failed.display(),
                self.name
            ))
            .arg(&found)
            .arg(corpus().join(self.name))
            .output()
            .context("the fuzzing program cannot be started")?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            let done = said.lines().rfind(|line| line.starts_with("Done "));
            return Ok(Some(done.unwrap_or("ended").to_owned()));
        }
        println!("{}", last_lines(&said, 30));
        Ok(None)
    }

    /// Merges what was found into the corpus: the smallest inputs that reach what the
    /// corpus does not.
    fn keep(&self) -> Result<()> {
        self.command()
            .arg("-merge=1")
            .arg(corpus().join(self.name))
            .arg(place("found").join(self.name))
            .bytes()
            .map(drop)
    }
}

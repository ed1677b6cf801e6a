//! The arguments of `derefs`.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};

use super::super::top::args::Delay;

/// Arguments of `derefs`.
#[derive(Debug, Args)]
pub struct DerefsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DerefsCommand,
}

/// The parts of `derefs`.
#[derive(Debug, Subcommand)]
pub enum DerefsCommand {
    /// Watch the running kernel touch it, with hardware breakpoints.
    Watch(WatchArgs),
    /// Drive the paths that touch it, and watch.
    Exercise(ExerciseArgs),
    /// Count at every site of a static list, with kprobes.
    Trace(TraceArgs),
    /// List the sites in a kernel image, without running it.
    Sites(SitesArgs),
    /// Compare two results: of two kernels, or of two workloads.
    Diff(DiffArgs),
}

/// How a list of sites, a difference or a trace is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SitesFormat {
    /// For people.
    #[default]
    Text,
    /// One document, schema 'sharestat.derefs-sites/v1'.
    Json,
}

/// Arguments of `derefs sites`.
#[derive(Debug, Args)]
#[command(
    after_help = "\
Examples:
  sharestat derefs sites /boot/vmlinuz-6.12.0-amd64
  sharestat derefs sites --format json -o sites.json vmlinux
  sharestat derefs sites --sample 60 vmlinux",
    long_about = "Disassembles a kernel image (vmlinux or vmlinuz, x86-64, with BTF) and lists the \
        instructions that read, write, compare or test 'mapping' of a folio or page, found by \
        following typed pointers through registers and stack. Needs no privilege and no running \
        kernel. The list says what the analysis cannot see: modules, indirect calls, untyped \
        lists."
)]
pub struct SitesArgs {
    /// The kernel image.
    #[arg(value_name = "IMAGE", value_hint = clap::ValueHint::FilePath)]
    pub image: PathBuf,
    /// How the list is written.
    #[arg(long, value_enum, default_value_t)]
    pub format: SitesFormat,
    /// Write to this file, whole or not at all.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Take source lines and inline chains from this vmlinux with debugging information
    /// [default: from the image, if it has any].
    #[arg(long, value_name = "VMLINUX", value_hint = clap::ValueHint::FilePath)]
    pub debug: Option<PathBuf>,
    /// Print so many sites, chosen at random, with the instructions around them.
    #[arg(long, value_name = "N")]
    pub sample: Option<usize>,
    /// Seed of the choice.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

/// How the result of watching is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DerefsFormat {
    /// For people: the answer, then a table.
    #[default]
    Text,
    /// One document, schema 'sharestat.derefs/v1'.
    Json,
    /// The sites, one row each.
    Csv,
    /// A page that can be posted.
    Markdown,
    /// One self-contained page whose tables sort.
    Html,
    /// Folded stacks, for flame graph programs.
    Folded,
    /// A flame graph.
    Svg,
}

/// Where the result goes and how.
#[derive(Clone, Debug, Args)]
pub struct DerefsOutputArgs {
    /// How the result is written [default: by the ending of --output, else text].
    ///
    /// Endings: .txt, .json, .csv, .md, .html, .folded, .svg.
    #[arg(long, value_enum)]
    pub format: Option<DerefsFormat>,
    /// Write to this file, whole or not at all.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Rows of the text; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub top: usize,
}

/// The static list that watched sites are compared with.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub struct StaticArgs {
    /// Compare with this list, the JSON of 'derefs sites'.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub sites: Option<PathBuf>,
    /// Compare with the sites of this kernel image, analysed first.
    #[arg(long, value_name = "IMAGE", value_hint = clap::ValueHint::FilePath)]
    pub image: Option<PathBuf>,
    /// Compare with the sites of the running kernel's text, read from memory and analysed.
    #[arg(long)]
    pub live: bool,
}

/// How to watch.
#[derive(Clone, Debug, Args)]
pub struct BreakpointArgs {
    /// Debug registers to use on each CPU, at most four.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub slots: u8,
    /// Pause when accesses come faster than so many per second.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_hz: u32,
    /// Seed of the choice of folios.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

/// Arguments of `derefs watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "\
Examples:
  sudo sharestat derefs watch --duration 30
  sudo sharestat derefs watch --live -o before.json -- make -j4
  sudo sharestat derefs watch --path /var/lib/images --format markdown",
    long_about = "Chooses folios of the page cache at random, duplicates first, sets hardware \
        breakpoints on their 'mapping' on all CPUs, and moves them to other folios every few \
        milliseconds. Each access is reported with its instruction, its kernel stack and the \
        state of the folio; the types of the functions on the stack tell whether the file was \
        at hand.\n\n\
        Needs root and debug registers ('sharestat doctor' tells). Each access to a watched word \
        costs a few microseconds while it is watched."
)]
pub struct WatchArgs {
    /// How long to watch, unless a command is given [default: 10s].
    #[arg(long, value_name = "TIME")]
    pub duration: Option<Delay>,
    /// Watch only folios of files below this directory (may be repeated).
    #[arg(long = "path", value_name = "DIR", value_hint = clap::ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// How long one choice of folios is watched.
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = window)]
    pub window: Duration,
    /// How to watch.
    #[command(flatten)]
    pub breakpoints: BreakpointArgs,
    /// What to compare with.
    #[command(flatten)]
    pub compare: StaticArgs,
    /// Where the result goes.
    #[command(flatten)]
    pub output: DerefsOutputArgs,
    /// Run this command and watch until it ends.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Windows are shorter than what [`Delay`] takes.
fn window(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches("ms");
    match digits.parse::<u64>() {
        Ok(milliseconds) if (1..=10_000).contains(&milliseconds) => {
            Ok(Duration::from_millis(milliseconds))
        }
        _ => Err(format!("'{text}' is no window; 1ms to 10000ms")),
    }
}

/// Arguments of `derefs exercise`.
#[derive(Debug, Args)]
#[command(
    after_help = "\
Examples:
  sudo sharestat derefs exercise
  sudo sharestat derefs exercise --dir /mnt/xfs -o xfs.json
  sudo sharestat derefs exercise --disruptive --image vmlinuz --format markdown",
    long_about = "Makes files and does to their pages what a system does to pages: reading, mapping, \
        forking, locking, reclaiming, truncating and so on, one step after the other. Meanwhile \
        their 'folio->mapping' is watched with hardware breakpoints, so that the table tells which \
        code each step reaches. Steps that this machine or filesystem cannot do are named."
)]
pub struct ExerciseArgs {
    /// Directory, and so filesystem, for the files.
    #[arg(long, value_name = "DIR", default_value = "/tmp", value_hint = clap::ValueHint::DirPath)]
    pub dir: PathBuf,
    /// How often each step is done.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Also do what disturbs the whole machine: drop all caches, compact memory, take pages
    /// offline.
    #[arg(long)]
    pub disruptive: bool,
    /// Also map the files at this place and read them, whatever filesystem it is: a
    /// directory, a file or a block device (may be repeated).
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub map: Vec<PathBuf>,
    /// Only do the steps, without watching.
    #[arg(long, conflicts_with_all = ["sites", "image", "live"])]
    pub drive_only: bool,
    /// How to watch.
    #[command(flatten)]
    pub breakpoints: BreakpointArgs,
    /// What to compare with.
    #[command(flatten)]
    pub compare: StaticArgs,
    /// Where the result goes.
    #[command(flatten)]
    pub output: DerefsOutputArgs,
}

/// Arguments of `derefs diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sharestat derefs diff 6.12.json 7.3.json
  sharestat derefs diff --format json before.json after.json")]
pub struct DiffArgs {
    /// A result of 'watch' or 'exercise', as JSON.
    #[arg(value_name = "A", value_hint = clap::ValueHint::FilePath)]
    pub before: PathBuf,
    /// Another one.
    #[arg(value_name = "B", value_hint = clap::ValueHint::FilePath)]
    pub after: PathBuf,
    /// How the difference is written; JSON is schema 'sharestat.derefs-diff/v1'.
    #[arg(long, value_enum, default_value_t)]
    pub format: SitesFormat,
    /// Write to this file, whole or not at all.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// Arguments of `derefs trace`.
#[derive(Debug, Args)]
#[command(
    after_help = "\
Examples:
  sudo sharestat derefs trace --live --duration 30
  sudo sharestat derefs trace --sites sites.json -- make -j4",
    long_about = "Sets a kprobe at every site of a static list and counts how often each runs, and how \
        often with a folio that could be shared. Nothing is sampled, but only sites of the list are \
        seen. Needs root and a kernel with kprobes; sites that the kernel refuses are named."
)]
pub struct TraceArgs {
    /// How long to trace, unless a command is given [default: 10s].
    #[arg(long, value_name = "TIME")]
    pub duration: Option<Delay>,
    /// What to trace [default: --live].
    #[command(flatten)]
    pub list: StaticArgs,
    /// How the result is written; JSON is schema 'sharestat.derefs-trace/v1'.
    #[arg(long, value_enum, default_value_t)]
    pub format: SitesFormat,
    /// Write to this file, whole or not at all.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Count as folios of files only those on the filesystem of this directory.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub filesystem: Option<PathBuf>,
    /// Rows of the text; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub top: usize,
    /// Run this command and trace until it ends.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

//! The arguments of every command, with the help that teaches them.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are printed as they are"
)]

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::{
    check::CheckArgs,
    color::Color,
    derefs::args::DerefsArgs,
    diff::DiffArgs,
    exit::EXIT_CODES,
    image::ImageArgs,
    plan::PlanArgs,
    record::args::RecordArgs,
    report::ReportArgs,
    serve::ServeArgs,
    top::args::{ShowArgs, TopArgs},
};

const EXAMPLES: &str = "\
Examples:
  sudo sharestat top                     the screen to keep open
  sharestat scan                         the whole machine, as tables
  sharestat scan --path /var/lib         only files below a directory
  sharestat scan --engine user           without BPF
  sharestat scan -o before.json          write a report
  sharestat image a.tar b.tar            what these images have in common
  sharestat diff before.json after.json  what changed
  sharestat check base.json new.json     exit 1 when duplicates grew
  sudo sharestat record -o r.ssr -- CMD  what a command does to the page cache
  sharestat plan r.ssr --memory 64GiB    how many containers fit a host
  sudo sharestat serve                   metrics for Prometheus, and a page
  sharestat doctor                       what works here, and what helps
  sharestat completions bash             completions for bash";

/// Measures how much page cache holds the same bytes twice, and what sharing would save.
#[derive(Debug, Parser)]
#[command(
    name = "sharestat",
    version,
    about,
    long_about = "Measures how much of the page cache holds bytes that are cached a second time \
        elsewhere, whose they are, and what each way of sharing them would save.\n\n\
        Data goes to stdout, words go to stderr. Every result states how much of the page cache \
        it covers.",
    after_help = EXAMPLES,
    after_long_help = examples_and_exit_codes(),
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub common: Common,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// When to use colour.
    ///
    /// NO_COLOR and CLICOLOR_FORCE are respected under 'auto'.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Say nothing on stderr but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more on stderr.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure once, and say what is duplicate.
    Scan(ScanArgs),
    /// Watch live, on a screen or in a pipe.
    Top(TopArgs),
    /// Measure without end, and offer metrics and a live page over HTTP.
    Serve(ServeArgs),
    /// Play a small recording that is in this program: no root, no BPF.
    Demo(DemoArgs),
    /// Forecast from image files what hosts that run them would cache twice.
    Image(ImageArgs),
    /// Write a report again, in another format.
    Report(ReportArgs),
    /// Compare two reports: what changed, and which files moved.
    Diff(DiffArgs),
    /// Judge a report by rules, alone or against a base.
    Check(CheckArgs),
    /// Say how many containers fit a host, with and without sharing.
    Plan(PlanArgs),
    /// Record everything that happens to the page cache, to be played later.
    Record(RecordArgs),
    /// Say what works here, what does not, and what helps.
    Doctor(DoctorArgs),
    /// Find the kernel code that dereferences 'folio->mapping'.
    Derefs(DerefsArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page in roff.
    Man,
}

/// Which engine measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// In the kernel, with BPF: the whole page cache, with or without a path.
    #[default]
    Bpf,
    /// From user space, with mincore and mmap: files that have a path here.
    User,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people.
    Text,
    /// One document, schema 'sharestat.report/v1'.
    Json,
    /// One JSON object per line, for streaming tools.
    Ndjson,
    /// The files, one row each, with a heading.
    Csv,
    /// For a pull request or a step summary.
    Markdown,
    /// One page with pictures, for a browser; needs no network.
    Html,
    /// Gauges, for the textfile collector of an exporter.
    Openmetrics,
}

const SCAN_HELP: &str = "\
Examples:
  sharestat scan                         the whole machine, as tables
  sharestat scan --path /var/lib/docker  only files below a directory
  sharestat scan --path a --path b       what two trees have in common
  sharestat scan --engine user           on a host that refuses BPF
  sharestat scan --container web         what the layers of a container hold
  sharestat scan --verify-files          savings by whole files, proven
  sharestat scan -o before.json --top 0  everything, as JSON, into a file
  sharestat scan -o pages.parquet        every page, for DuckDB or pandas
  sharestat scan --format ndjson | jq .  line by line, into another tool
  sharestat scan --seed 7 --strict       comparable between hosts, or exit 5";

/// Arguments of `scan`.
#[derive(Debug, Args)]
#[command(
    after_help = SCAN_HELP,
    after_long_help = format!("{SCAN_HELP}\n\n{EXIT_CODES}"),
    long_about = "Looks at every page in the page cache once, hashes its content, and reports how \
        many bytes are cached more than once, in which files, and what each way of sharing would \
        save. No file is read and nothing is dropped: the page cache is the same before and \
        after, unless '--verify-files' asks for more.\n\n\
        Pages that are dirty, under writeback or still being read are counted but not hashed; \
        the coverage line says how many."
)]
pub struct ScanArgs {
    /// Measure only files below this directory (may be repeated).
    ///
    /// Includes the filesystems mounted below it. For an overlay mount its layers are
    /// measured, because that is where the pages are.
    #[arg(long = "path", value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub paths: Vec<PathBuf>,
    /// Which engine measures.
    ///
    /// 'bpf' needs root and sees the whole page cache. 'user' needs no BPF, sees files that
    /// have a path in this mount namespace, and without root only your own.
    #[arg(long, value_enum, default_value_t = EngineChoice::Bpf)]
    pub engine: EngineChoice,
    /// List only files of layers whose name, directory or image contains this.
    ///
    /// Sums stay those of all that was measured.
    #[arg(long, value_name = "TEXT")]
    pub layer: Option<String>,
    /// List only files of layers that a container shows whose name or id contains this.
    ///
    /// Sums stay those of all that was measured.
    #[arg(long, value_name = "TEXT")]
    pub container: Option<String>,
    /// Read what seems equal, and compare the bytes.
    ///
    /// Compares pages of one hash, and files that seem equal as a whole: savings become
    /// 'verified', or go. Reads from storage; before Linux 6.14 what it reads stays cached.
    #[arg(long)]
    pub verify_files: bool,
    /// How the result is written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// The BPF engine.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Seed of the page hashes; random when not given.
    ///
    /// The same seed on several hosts makes their results comparable. Only a short digest of
    /// it, 'seed_id', is ever printed.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Exit with 5 when the measurement is incomplete.
    #[arg(long)]
    pub strict: bool,
}

/// Options of the BPF engine that hardly anybody needs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "BPF engine")]
pub struct InstrumentArgs {
    /// Size of the ring through which the kernel reports events [default: 8 MiB].
    ///
    /// Rounded up to a power of two. A small ring loses events under load; what is lost is
    /// counted and repaired by a census.
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub ring_bytes: Option<u32>,
    /// Log what the BPF programs say about start-up and faults to stderr.
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = LogLevel::Off, hide_short_help = true)]
    pub bpf_log: LogLevel,
}

/// How much the BPF programs log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing; the calls are removed from the programs.
    Off,
    /// Faults.
    Error,
    /// Faults, and what was found at start-up.
    Info,
    /// Everything.
    Trace,
}

impl InstrumentArgs {
    /// The level as the BPF programs know it (`aya_log_common::Level`).
    pub(super) const fn log_level(&self) -> u8 {
        match self.bpf_log {
            LogLevel::Off => 0,
            LogLevel::Error => 1,
            LogLevel::Info => 3,
            LogLevel::Trace => 5,
        }
    }
}

/// Where a report goes and how.
#[derive(Clone, Debug, Args)]
pub struct OutputArgs {
    /// How the report is written [default: by the ending of --output, else text].
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write to this file, whole or not at all.
    ///
    /// The ending chooses the format: .txt, .json, .ndjson (or .jsonl), .csv, .md, .html or .prom.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Rows per list; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
}

/// How the examination is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One document, schema 'sharestat.doctor/v1'.
    Json,
}

const DOCTOR_HELP: &str = "\
Examples:
  sudo sharestat doctor                  everything, with loss and remedy
  sharestat doctor --format json | jq .  for scripts
  sharestat doctor > /dev/null && sharestat scan";

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = DOCTOR_HELP,
    after_long_help = format!("{DOCTOR_HELP}\n\n{EXIT_CODES}"),
    long_about = "Tries everything that measuring needs, one thing at a time, and says of each how it \
        stands, what was found, what is lost by it and what helps. BPF programs are loaded for a \
        moment; nothing stays behind.\n\n\
        Exits with 0 when 'scan' works here, with 3 when only a privilege is missing, and with 4 \
        when the kernel or this build lacks something."
)]
pub struct DoctorArgs {
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    pub format: DoctorFormat,
    /// Write to this file, whole or not at all.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(
    after_help = "\
Examples:
  sharestat demo                         the screen; press ? for its keys
  sharestat demo --once                  what the recording ends with, as text",
    long_about = "Plays a recording of half a minute in which containers with duplicate layers start, \
        read their files and end. It was made by 'cargo xtask demo-recording'."
)]
pub struct DemoArgs {
    /// How it is shown.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sharestat completions bash > /etc/bash_completion.d/sharestat
  sharestat completions zsh  > /usr/local/share/zsh/site-functions/_sharestat
  sharestat completions fish > ~/.config/fish/completions/sharestat.fish")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Examples and exit codes, for the long help and the manual.
fn examples_and_exit_codes() -> String {
    format!("{EXAMPLES}\n\n{EXIT_CODES}")
}

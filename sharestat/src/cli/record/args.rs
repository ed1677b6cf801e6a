//! The arguments of `record`.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::Args;

use super::super::{
    args::InstrumentArgs,
    exit::EXIT_CODES,
    top::args::{percent, time},
};

const HELP: &str = "\
Examples:
  sudo sharestat record -o build.ssr -- make -j8      a command, from start to end
  sudo sharestat record -o minute.ssr --duration 1m   whatever happens in a minute
  sudo sharestat record -o all.ssr                    until Ctrl-C
  sharestat top --replay build.ssr                    play it, without root";

/// Arguments of `record`.
#[derive(Debug, Args)]
#[command(
    after_help = HELP,
    after_long_help = format!("{HELP}\n\n{EXIT_CODES}"),
    long_about = "Writes every change of the page cache into a file, from a complete census before the \
        command to a complete census after it, with the sums twice a second. 'top --replay' plays \
        the file, without root, on any machine.\n\n\
        The file is written in blocks with checksums: when the recording is killed or the disk is \
        full, it plays up to its last complete block and says so. The exit code is that of the \
        command."
)]
pub struct RecordArgs {
    /// The file to write; what was there is replaced.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: PathBuf,
    /// Record for so long: 90, 10m, 2h.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "command")]
    pub duration: Option<Duration>,
    /// Record only files below this directory (may be repeated).
    #[arg(long = "path", value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub paths: Vec<PathBuf>,
    /// Share of one CPU that hashing may take, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "10", value_parser = percent)]
    pub cpu_budget: f64,
    /// Seed of the page hashes; random when not given.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Options that hardly anybody needs.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// The command to run and record.
    #[arg(last = true, value_name = "CMD", value_hint = clap::ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

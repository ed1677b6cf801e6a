//! `sharestat diff BASE NEW`: what changed between two reports.

use std::{io, path::PathBuf};

use clap::{Args, ValueEnum};

use super::{
    args::Common,
    exit::{EXIT_CODES, Exit, Failure},
    output, render,
};
use crate::{
    compare::{diff::Diff, markdown, text},
    report::{Report, read},
};

const HELP: &str = "\
Examples:
  sharestat scan -o before.json --top 0   measure, change something, measure again
  sharestat diff before.json after.json   what changed, and which files moved
  sharestat diff --again before2.json before.json after.json
  sharestat diff --format markdown before.json after.json";

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(
    after_help = HELP,
    after_long_help = format!("{HELP}\n\n{EXIT_CODES}"),
    long_about = "Lays two reports side by side: sums, scopes, mechanisms, filesystems, layers, images, \
        containers, and the files that moved, with those they share pages with. Groups and files \
        are compared by their part of the duplicates, so that the parts add up to the change.\n\n\
        Reports hold sums and names, no hashes: their seeds may differ."
)]
pub struct DiffArgs {
    /// The report to compare with (JSON).
    #[arg(value_name = "BASE", value_hint = clap::ValueHint::FilePath)]
    pub base: PathBuf,
    /// The report to compare (JSON); '-' is standard input.
    #[arg(value_name = "NEW", value_hint = clap::ValueHint::FilePath)]
    pub new: PathBuf,
    /// Another measurement of what BASE measured (may be repeated).
    ///
    /// What these differ by is noise: smaller changes are marked, and files that moved less
    /// are left out.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub again: Vec<PathBuf>,
    /// How the comparison is written.
    #[arg(long, value_enum, default_value_t)]
    pub format: DiffFormat,
    /// Write to this file, whole or not at all.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Rows per list; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
}

/// How a comparison is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// Tables for people.
    #[default]
    Text,
    /// One document, schema 'sharestat.diff/v1', with all rows.
    Json,
    /// For a pull request.
    Markdown,
}

pub(super) fn run(arguments: &DiffArgs, common: &Common) -> Result<Exit, Failure> {
    let base = read::file(&arguments.base)?;
    let new = read::file(&arguments.new)?;
    let repeats = repeats(&arguments.again)?;
    let diff = Diff::new(&base, &new, &repeats);
    let file = arguments.output.as_deref();
    let layout = render::layout(file, common);
    output::write(file, |mut out| match arguments.format {
        DiffFormat::Text => text::diff(&diff, layout, arguments.top, out),
        DiffFormat::Markdown => markdown::diff(&diff, arguments.top, out),
        DiffFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &diff)?;
            io::Write::write_all(&mut out, b"\n")
        }
    })?;
    Ok(Exit::Ok)
}

/// Further measurements of the base.
pub(super) fn repeats(files: &[PathBuf]) -> Result<Vec<Report>, Failure> {
    let reports = files.iter().map(|file| read::file(file));
    reports
        .map(|report| report.map_err(Failure::from))
        .collect()
}

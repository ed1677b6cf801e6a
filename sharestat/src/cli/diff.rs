//! `sharestat diff BASE NEW`: what changed between two reports.

use std::{io, path::PathBuf};

use clap::{Args, ValueEnum};

use super::{
    args::Common,
    exit::{EXIT_CODES, Exit, Failure},
    input, output, render,
};
use crate::{
    compare::{
        contents::{self, NotComparable},
        diff::Diff,
        markdown, text,
    },
    report::Report,
    snapshot::file::open,
};

const HELP: &str = "\
Examples:
  sharestat scan -o before.json --top 0   measure, change something, measure again
  sharestat diff before.json after.json   what changed, and which files moved
  sharestat diff --again before2.json before.json after.json
  sharestat diff a.parquet b.parquet      also which contents came and went
  sharestat diff --format markdown before.json after.json";

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(
    after_help = HELP,
    after_long_help = format!("{HELP}\n\n{EXIT_CODES}"),
    long_about = "Lays two reports side by side: sums, scopes, mechanisms, filesystems, layers, images, \
        containers, and the files that moved, with those they share pages with. Groups and files \
        are compared by their part of the duplicates, so that the parts add up to the change.\n\n\
        Both may be reports (JSON), tables of pages (Parquet) or recordings, of which the end \
        counts. Sums and names are compared whatever the seeds; contents only of two tables or \
        recordings with the same seed."
)]
pub struct DiffArgs {
    /// The report, table of pages or recording to compare with.
    #[arg(value_name = "BASE", value_hint = clap::ValueHint::FilePath)]
    pub base: PathBuf,
    /// What to compare; one of the files may be '-', standard input.
    #[arg(value_name = "NEW", value_hint = clap::ValueHint::FilePath)]
    pub new: PathBuf,
    /// Another measurement of what BASE measured (may be repeated).
    ///
    /// What these differ by is noise: smaller changes are marked, and files that moved less
    /// are left out.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub again: Vec<PathBuf>,
    /// Fail with 2 when contents cannot be compared, instead of saying so in a note.
    #[arg(long)]
    pub contents: bool,
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
    let files = [&arguments.base, &arguments.new];
    input::once(files.into_iter().chain(&arguments.again))?;
    let base = open(&arguments.base, None)?;
    let new = open(&arguments.new, None)?;
    let repeats = repeats(&arguments.again)?;
    let mut diff = Diff::new(&base.report, &new.report, &repeats);
    match contents::compared(&base, &new) {
        Ok(change) => diff.contents = Some(change),
        Err(why) if arguments.contents => return Err(Failure::new(Exit::Usage, why)),
        // Reports have no contents: nobody expects more than sums of them.
        Err(NotComparable::NoPages) => {}
        Err(why) => diff.notes.push(why.to_string()),
    }
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
    let opened = files.iter().map(|file| Ok(open(file, None)?.report));
    opened.collect()
}

//! The arguments of `plan`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{cli::exit::EXIT_CODES, query::parse_size};

const HELP: &str = "\
Examples:
  sharestat plan four.ssr                             the measured mix, on hosts like that one
  sharestat plan two.ssr four.ssr --mix mix.toml      another mix, with private memory
  sharestat plan four.ssr --memory 64GiB --replicas 500
  sharestat plan four.ssr --mix mix.toml -o plan.html a page with the picture
  sharestat plan --memory 64GiB --image web=1.2GiB --private web=200MiB";

/// Arguments of `plan`.
#[derive(Debug, Args)]
#[command(
    after_help = HELP,
    after_long_help = format!("{HELP}\n\n{EXIT_CODES}"),
    long_about = "Says how many containers of a mix fit a host, as the kernel is and with each way \
        of sharing page cache, what one more container costs, from how many on sharing matters, \
        how many hosts a number of containers needs, and how much of that hangs on each \
        assumption.\n\n\
        The page cache of containers comes from recordings ('record') or reports ('scan -o \
        x.json'), or is stated with --image; private memory and the mix come from a mix file \
        (TOML) or --private. docs/plan.md has the model."
)]
pub struct PlanArgs {
    /// Recordings (.ssr) or reports (JSON) of hosts with containers of the mix.
    #[arg(value_name = "FILE", required_unless_present_any = ["images", "mix"], value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// What runs on the hosts (TOML); without it, what was measured.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub mix: Option<PathBuf>,
    /// Memory of a host, such as 64GiB [default: that of the mix file, else of the measured host].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// What a host uses without containers, page cache aside.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub base: Option<u64>,
    /// What stays free.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub reserve: Option<u64>,
    /// An image whose containers need so much page cache each, equal in all (may be repeated).
    #[arg(long = "image", value_name = "NAME=SIZE", value_parser = named, conflicts_with = "mix")]
    pub images: Vec<(String, u64)>,
    /// What a container of an image uses alone, page cache aside (may be repeated).
    #[arg(long, value_name = "NAME=SIZE", value_parser = named)]
    pub private: Vec<(String, u64)>,
    /// Count the hosts that so many containers need.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub replicas: Option<u64>,
    /// Forecast memory and page cache with exactly so many containers (may be repeated).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub containers: Vec<u64>,
    /// Plan for these percentiles of the working set [default: 50,90,99].
    ///
    /// They are of the moments of a recording; a report is a single sample and has none.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', value_parser = percentile)]
    pub percentile: Vec<f64>,
    /// From which saving on sharing matters, in per cent of the memory in use.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percentile)]
    pub matters: f64,
    /// Plan although less than 90 % of the page cache is covered.
    #[arg(long)]
    pub accept_poor_coverage: bool,
    /// How the plan is written [default: by the ending of --output, else text].
    #[arg(long, value_enum)]
    pub format: Option<PlanFormat>,
    /// Write to this file, whole or not at all.
    ///
    /// The ending chooses the format: .txt, .json, .csv, .md, .html or .svg.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Tables for people.
    Text,
    /// One document, schema 'sharestat.plan/v1'.
    Json,
    /// The curves: memory by number of containers.
    Csv,
    /// For a pull request or a wiki.
    Markdown,
    /// One page with the picture, for a browser; needs no network.
    Html,
    /// The picture alone.
    Svg,
}

fn size(text: &str) -> Result<u64, String> {
    if text
        .chars()
        .all(|sign| sign.is_ascii_digit() || sign == '.')
    {
        return Err("it has no unit; write it like 64GiB".to_owned());
    }
    parse_size(text).ok_or_else(|| "it is no size; write it like 64GiB".to_owned())
}

fn named(text: &str) -> Result<(String, u64), String> {
    match text.rsplit_once('=') {
        Some((name, bytes)) if !name.is_empty() => Ok((name.to_owned(), size(bytes)?)),
        _ => Err("write it like web=1.2GiB".to_owned()),
    }
}

fn percentile(text: &str) -> Result<f64, String> {
    let number = text.trim_start_matches('p').parse::<f64>();
    number
        .ok()
        .filter(|number| (0.0..=100.0).contains(number))
        .ok_or_else(|| "it is not between 0 and 100".to_owned())
}

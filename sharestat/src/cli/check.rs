//! `sharestat check [BASE] NEW`: a report judged by rules; 1 when one fails.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are printed as they are"
)]

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use super::{
    args::Common,
    diff::repeats,
    exit::{EXIT_CODES, Exit, Failure},
    input, output, render,
};
use crate::{
    compare::{
        check::{
            Check, Verdict,
            config::{Config, USUAL},
            rule::Rule,
        },
        junit, markdown, sarif, text,
    },
    identity::escape::printable,
    report::{self, Report},
    snapshot::file::open,
};

const HELP: &str = "\
Examples:
  sharestat check base.json new.json             not 5 % and 16 MiB more duplicates
  sharestat check --rule mechanism:content,percent=2,bytes=8MiB base.json new.json
  sharestat check --rule duplicate,max_bytes=2GiB new.json
  sharestat check --config ci/sharestat.toml new.json
  sharestat check --format junit -o check.xml base.json new.json
  sharestat check --update base.json new.json    from now on, new is the base";

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(
    after_help = HELP,
    after_long_help = format!("{HELP}\n\n{EXIT_CODES}"),
    long_about = "Judges a report by rules, and exits with 1 when one fails. A rule limits growth over \
        the base ('percent', 'bytes') or size ('max_percent', 'max_bytes'); where both of a pair \
        are given, both must be exceeded. A rule that cannot be judged is skipped.\n\n\
        Rules come from --rule, else from --config or 'sharestat.toml' here, else there is one: \
        duplicates may not grow by more than 5 % and 16 MiB."
)]
pub struct CheckArgs {
    /// The base and the new report, table of pages or recording, or only the new one.
    ///
    /// Without a base, the 'baseline' of the configuration is the base; without that, rules on
    /// growth are skipped.
    #[arg(value_name = "REPORT", num_args = 1..=2, required = true, value_hint = clap::ValueHint::FilePath)]
    pub reports: Vec<PathBuf>,
    /// Where rules and baseline stand [default: sharestat.toml, when it is there].
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// A rule: MEASURE,KEY=VALUE,… (may be repeated; those of the configuration do not count).
    ///
    /// MEASURE is duplicate, resident, distinct, eligible, zero, or LIST:NAME with the lists
    /// scope, mechanism, filesystem, layer, image, container, memcg and file, and '*' for any
    /// text. KEY is percent, bytes, max_percent, max_bytes or name.
    #[arg(long = "rule", value_name = "RULE", value_parser = Rule::parse)]
    pub rules: Vec<Rule>,
    /// Another measurement of what the base measured (may be repeated): growth within their
    /// spread is noise.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub again: Vec<PathBuf>,
    /// Make the new report the base, whatever the outcome.
    #[arg(long)]
    pub update: bool,
    /// Exit with 5 when a measurement is partial or a rule was skipped, and none failed.
    #[arg(long)]
    pub strict: bool,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
    /// Write to this file, whole or not at all.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// How the outcome of a check is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One document, schema 'sharestat.check/v1'.
    Json,
    /// Test cases, for what shows test results.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// For a pull request.
    Markdown,
}

pub(super) fn run(arguments: &CheckArgs, common: &Common) -> Result<Exit, Failure> {
    let (config, named) = configuration(arguments)?;
    let (base_path, new_path) = match arguments.reports.as_slice() {
        [base, new] => (Some(base.clone()), new),
        [new, ..] => (config.baseline.clone(), new),
        [] => return Err(Failure::new(Exit::Usage, "give the report to check")),
    };
    input::once(arguments.again.iter().chain(&base_path).chain([new_path]))?;
    if arguments.update {
        can_be_renewed(base_path.as_deref())?;
    }
    let new = open(new_path, None)?.report;
    let base = base(base_path.as_deref(), arguments.update)?;
    let rules = match (arguments.rules.is_empty(), config.rules.is_empty()) {
        (false, _) => arguments.rules.clone(),
        (true, false) => config.rules,
        (true, true) => vec![Rule::usual()],
    };
    let check = Check::new(&rules, base.as_ref(), &new, &repeats(&arguments.again)?);
    let place = named.as_deref().unwrap_or(new_path);
    write(&check, arguments, place, common)?;
    if let (true, Some(base)) = (arguments.update, &base_path) {
        renew(base, &new, common.quiet)?;
        return Ok(Exit::Ok);
    }
    let complete = new.coverage.complete && base.is_none_or(|base| base.coverage.complete);
    Ok(outcome(&check, complete, arguments.strict))
}

fn outcome(check: &Check, complete: bool, strict: bool) -> Exit {
    let skipped = check
        .results
        .iter()
        .any(|result| result.verdict == Verdict::Skip);
    if check.verdict == Verdict::Fail {
        Exit::Threshold
    } else if strict && (skipped || !complete) {
        Exit::Incomplete
    } else {
        Exit::Ok
    }
}

fn write(
    check: &Check,
    arguments: &CheckArgs,
    place: &Path,
    common: &Common,
) -> Result<(), Failure> {
    let file = arguments.output.as_deref();
    let layout = render::layout(file, common);
    output::write(file, |mut out| match arguments.format {
        CheckFormat::Text => text::check(check, layout, out),
        CheckFormat::Markdown => markdown::check(check, out),
        CheckFormat::Junit => junit::check(check, out),
        CheckFormat::Sarif => sarif::check(check, place, out),
        CheckFormat::Json => {
            serde_json::to_writer_pretty(&mut out, check)?;
            out.write_all(b"\n")
        }
    })
}

/// The configuration, and the file it is from.
fn configuration(arguments: &CheckArgs) -> Result<(Config, Option<PathBuf>), Failure> {
    let path = arguments
        .config
        .clone()
        .unwrap_or_else(|| PathBuf::from(USUAL));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && arguments.config.is_none() => {
            return Ok((Config::default(), None));
        }
        Err(error) => {
            return Err(Failure::new(
                Exit::Usage,
                format!("cannot read the rules in '{}': {error}", printable(&path)),
            ));
        }
    };
    let mut config = Config::parse(&text).map_err(|error| {
        Failure::new(Exit::Usage, format!("in '{}': {error}", printable(&path)))
    })?;
    config.baseline = config.baseline.map(|baseline| {
        let folder = path.parent().unwrap_or(Path::new(""));
        folder.join(baseline)
    });
    Ok((config, Some(path)))
}

/// The base, when there is one. It may be missing when it is about to be written.
fn base(path: Option<&Path>, update: bool) -> Result<Option<Report>, Failure> {
    match path {
        None => Ok(None),
        Some(path) if update && !path.exists() => Ok(None),
        Some(path) => Ok(Some(open(path, None)?.report)),
    }
}

/// Whether there is a base, and it is a file.
fn can_be_renewed(base: Option<&Path>) -> Result<(), Failure> {
    let why = match base {
        Some(base) if !input::is_stdin(base) => return Ok(()),
        Some(_) => "'--update' cannot write to standard input; name the file that is the base",
        None => {
            "'--update' has no base to renew; name it before the new report, or as 'baseline' in the configuration"
        }
    };
    Err(Failure::new(Exit::Usage, why))
}

/// Writes the new report over the base, as a report whatever it was read from.
fn renew(base: &Path, new: &Report, quiet: bool) -> Result<(), Failure> {
    output::write(Some(base), |out| report::json::write(new, out))?;
    if !quiet {
        let _ = writeln!(
            io::stderr(),
            "sharestat: '{}' is the base now",
            printable(base)
        );
    }
    Ok(())
}

//! The arguments of `top`.
use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::Args;

use super::{
    super::args::{Format, InstrumentArgs},
    config::Config,
};

/// A time as top and htop take it: `2`, `0.5`, `500ms`, `1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay(pub Duration);

/// Time between pictures when nothing is said.
const DELAY: Duration = Duration::from_secs(2);
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_hours(1);

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let delay = time(text)?;
        if delay < SHORTEST || delay > LONGEST {
            return Err(format!("'{text}' is out of range; 50ms to 60m"));
        }
        Ok(Self(delay))
    }
}

/// A time with a unit, seconds when it has none.
pub(in super::super) fn time(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let number = text.strip_suffix(unit).unwrap_or(text);
    let factor = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("'{other}' is no unit of time; use ms, s, m or h")),
    };
    let seconds = number
        .parse::<f64>()
        .map_err(|_| format!("'{text}' is no time; give seconds, as in '2' or '500ms'"))?;
    Duration::try_from_secs_f64(seconds * factor)
        .map_err(|_| format!("'{text}' is no time that can be waited"))
}

pub(in super::super) fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%');
    match number.parse::<f64>() {
        Ok(percent) if (0.1..=100.0).contains(&percent) => Ok(percent),
        Ok(_) => Err(format!(
            "'{text}' is out of range; 0.1 to 100 percent of one CPU"
        )),
        Err(_) => Err(format!("'{text}' is no percentage")),
    }
}

/// Arguments of `top`.
#[derive(Debug, Args)]
#[command(
    after_help = "\
Examples:
  sudo sharestat top                       the screen; press ? for its keys
  sudo sharestat top --path /var/lib       only files below a directory
  sudo sharestat top --once                one picture as text, as in a pipe
  sudo sharestat top -b -d 5 -n 12         twelve pictures, five seconds apart
  sudo sharestat top -b --format ndjson    a report per line, for other tools
  sudo sharestat top -F 'dup>10MiB fs=xfs' with a filter
  sharestat top --replay build.ssr         a recording, without root",
    long_about = "Shows live how much of the page cache holds bytes that are cached a second time, \
        in which files, and what sharing them would save. Pages are hashed in the kernel under a \
        CPU budget; the coverage line says how many were.\n\n\
        With -b, --once, -n or --format, prints text or documents instead of drawing a screen. \
        In a pipe, without any of these, it prints one picture, as with --once."
)]
pub struct TopArgs {
    /// Measure only files below this directory (may be repeated).
    #[arg(long = "path", value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub paths: Vec<PathBuf>,
    /// Play a recording made by 'record' instead of measuring; needs no root.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath,
          conflicts_with_all = ["paths", "cpu_budget", "seed"])]
    pub replay: Option<PathBuf>,
    /// Show this result of 'derefs watch --format json' in a view of its own.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub derefs: Option<PathBuf>,
    /// How it is shown.
    #[command(flatten)]
    pub show: ShowArgs,
    /// Share of one CPU that hashing may take, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "2", value_parser = percent)]
    pub cpu_budget: f64,
    /// Seed of the page hashes; random when not given.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Options that hardly anybody needs.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
}

/// How a measurement or a recording is shown.
#[derive(Clone, Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one switch of the command line"
)]
pub struct ShowArgs {
    /// Time between pictures: 2, 0.5, 500ms [default: 2].
    #[arg(short, long, value_name = "TIME")]
    pub delay: Option<Delay>,
    /// End after so many pictures (implies --batch).
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: Option<u64>,
    /// Measure once, completely, print it and end.
    #[arg(short = '1', long, conflicts_with = "iterations")]
    pub once: bool,
    /// Print pictures as text instead of drawing a screen.
    #[arg(short, long)]
    pub batch: bool,
    /// How pictures are printed: text, or a report each (implies --batch).
    ///
    /// 'json' and 'ndjson' print one document 'sharestat.report/v1' per picture, 'ndjson'
    /// each on one line.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Rows per list in printed pictures; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// Sort files by this column at first; 'help' lists the columns.
    #[arg(short, long, value_name = "COLUMN")]
    pub sort: Option<String>,
    /// Show only files that match, as in 'dup>10MiB path~python fs=xfs'.
    #[arg(short = 'F', long, value_name = "QUERY", default_value = "")]
    pub filter: String,
    /// Print tables without their heading.
    #[arg(long)]
    pub no_headers: bool,
    /// Draw with ASCII characters only.
    #[arg(long)]
    pub ascii: bool,
}

impl ShowArgs {
    /// Time between pictures.
    pub(super) fn delay(&self, config: &Config) -> Duration {
        let delay = self.delay.or(config.delay);
        delay.map_or(DELAY, |delay| delay.0)
    }

    /// Whether the arguments ask for something that is not a screen.
    pub(super) const fn wants_stream(&self) -> bool {
        self.batch || self.once || self.iterations.is_some() || self.format.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_units_and_bounds() {
        let of = |text: &str| text.parse::<Delay>().map(|delay| delay.0);
        assert_eq!(of("2"), Ok(Duration::from_secs(2)));
        assert_eq!(of("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(of("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(of("1m"), Ok(Duration::from_mins(1)));
        for wrong in ["", "x", "0", "1d", "-1", "1ms", "1e99", "NaN"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_budget_is_a_percentage_of_one_cpu() {
        assert_eq!(percent("2"), Ok(2.0));
        assert_eq!(percent("0.5%"), Ok(0.5));
        assert!(percent("0").is_err());
        assert!(percent("101").is_err());
        assert!(percent("nan").is_err());
    }
}

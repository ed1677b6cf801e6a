//! The command line: one file per command, each of which parses, calls and prints.
//! Data goes to stdout, words go to stderr, and the exit code says how it went.

pub mod args;
mod check;
mod color;
mod completions;
mod derefs;
mod diff;
mod doctor;
mod exit;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod image;
mod input;
mod log;
mod man;
mod output;
mod place;
mod plan;
mod record;
mod render;
mod report;
mod runtime;
mod scan;
mod serve;
mod top;
mod watch;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, FromArgMatches};

pub use exit::{Exit, Failure};

use args::{Cli, Command};

/// Runs the command that the arguments name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let color = color::before_parsing(&arguments);
    let parsed = Cli::command()
        .color(color)
        .try_get_matches_from(&arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let outcome = match parsed {
        Ok(cli) => dispatch(&cli),
        Err(error) => usage(&error).map(ExitCode::from),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            failure.report();
            failure.exit().into()
        }
    }
}

fn dispatch(cli: &Cli) -> Result<ExitCode, Failure> {
    let exit = match &cli.command {
        // The exit code of the recorded command is passed through.
        Command::Record(arguments) => return record::run(arguments, &cli.common),
        Command::Scan(arguments) => scan::run(arguments, &cli.common),
        Command::Top(arguments) => top::run(arguments, &cli.common),
        Command::Serve(arguments) => serve::run(arguments, &cli.common),
        Command::Demo(arguments) => top::demo(arguments, &cli.common),
        Command::Report(arguments) => report::run(arguments, &cli.common),
        Command::Diff(arguments) => diff::run(arguments, &cli.common),
        Command::Check(arguments) => check::run(arguments, &cli.common),
        Command::Image(arguments) => image::run(arguments, &cli.common),
        Command::Plan(arguments) => plan::run(arguments, &cli.common),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Derefs(arguments) => derefs::run(arguments, &cli.common),
        Command::Completions(arguments) => completions::run(arguments),
        Command::Man => man::run(),
    };
    exit.map(ExitCode::from)
}

/// Help and version go to stdout and are no failure; clap words the others.
fn usage(error: &clap::Error) -> Result<Exit, Failure> {
    if error.use_stderr() {
        // When stderr is closed there is nobody left to tell.
        let _ = error.print();
        return Ok(Exit::Usage);
    }
    output::print(|out| out.write_all(error.render().to_string().as_bytes()))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod contrib;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod tests;

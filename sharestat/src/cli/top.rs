//! `sharestat top`: watch live, or a recording, on a screen, or as text and documents in a pipe.

pub(super) mod args;
mod avoidable;
pub(super) mod config;
mod derefs;
mod owners;
mod picture;
pub(super) mod replay;
mod rows;
mod screen;
mod stream;

use std::io::{self, IsTerminal as _};

use args::{ShowArgs, TopArgs};
use config::Config;

use super::{
    args::{Common, DemoArgs, Format},
    exit::{Exit, Failure},
    log, scan,
};
use crate::{
    kernel::{Live, LiveOptions},
    snapshot::recording::reader::Reader,
    tui::{
        columns::{Column, Table},
        list::List,
    },
};

pub(super) fn run(arguments: &TopArgs, common: &Common) -> Result<Exit, Failure> {
    log::start(arguments.instrument.bpf_log);
    let show = &arguments.show;
    let files = files(show)?;
    let derefs = arguments.derefs.as_deref().map(derefs::read).transpose()?;
    if let Some(path) = &arguments.replay {
        let reader = Reader::open(path).map_err(replay::failure)?;
        return replay::run(reader, show, common, files, derefs);
    }
    // A pipe looks the same for everybody, and gets one picture unless it asks for more.
    let on_screen = is_on_screen(show);
    let config = if on_screen {
        config::read()?
    } else {
        Config::default()
    };
    let mut show = show.clone();
    show.once |= !on_screen && !show.wants_stream();
    let every = if show.once {
        stream::ONCE_EVERY
    } else {
        show.delay(&config)
    };
    let live = Live::start(&LiveOptions {
        paths: arguments.paths.clone(),
        seed: scan::seed(arguments.seed)?,
        cpu_budget: if show.once {
            // One look, as exact as `scan`: there is nothing to be gentle for.
            1.0
        } else {
            arguments.cpu_budget / 100.0
        },
        every,
        ring_bytes: arguments.instrument.ring_bytes,
        log_level: arguments.instrument.log_level(),
        ask_storage: !show.once,
    })?;
    if on_screen {
        screen::show(
            move |frames, commands| screen::measure(live, derefs, frames, commands),
            screen::options(&show, common, config, files),
        )
    } else {
        stream::print(live, &show, &files)
    }
}

/// The recording that `demo` plays.
const DEMO: &[u8] = include_bytes!("../../demo/demo.ssr");

/// `sharestat demo`.
pub(super) fn demo(arguments: &DemoArgs, common: &Common) -> Result<Exit, Failure> {
    let files = files(&arguments.show)?;
    let reader = Reader::of_bytes("demo", DEMO).map_err(replay::failure)?;
    replay::run(reader, &arguments.show, common, files, None)
}

fn is_on_screen(show: &ShowArgs) -> bool {
    io::stdout().is_terminal() && !show.wants_stream()
}

/// The list of files as the arguments want it, told before anything is measured when they
/// make no sense.
fn files(arguments: &ShowArgs) -> Result<List, Failure> {
    let mut files = List::new(Table::Files);
    if arguments
        .format
        .is_some_and(|format| format != Format::Text)
    {
        let given = [
            ("--sort", arguments.sort.is_some()),
            ("--filter", !arguments.filter.is_empty()),
            ("--no-headers", arguments.no_headers),
        ];
        if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
            let message = format!(
                "{option} is for text and the screen: other formats have the whole report, in \
                 the order of 'sharestat scan'"
            );
            return Err(Failure::new(Exit::Usage, message));
        }
    }
    if let Some(name) = &arguments.sort {
        let columns = Table::Files.columns();
        let column = Column::named(name, columns).ok_or_else(|| {
            let names: Vec<&str> = columns.iter().map(|column| column.spec().name).collect();
            Failure::new(
                Exit::Usage,
                format!(
                    "cannot sort by '{name}'; the columns are {}",
                    names.join(", ")
                ),
            )
        })?;
        if column != files.sort() {
            files.sort_by(column);
        }
    }
    files
        .set_filter(&arguments.filter)
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        cli::args::{Cli, Command},
        snapshot::recording::{Player, reader::Ending},
    };

    fn files_of(arguments: &[&str]) -> Result<List, String> {
        let line = ["sharestat", "top"].iter().chain(arguments);
        let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
        let Command::Top(arguments) = cli.command else {
            return Err("not 'top'".to_owned());
        };
        files(&arguments.show).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_demo_plays_to_its_end_and_has_something_to_show() {
        let reader = Reader::of_bytes("demo", DEMO).expect("a recording");
        let mut player = Player::new(reader).expect("it plays");
        assert!(matches!(player.outline().ending, Ending::Whole(_)));
        assert!(DEMO.len() < 100_000, "{} bytes", DEMO.len());
        player.go_to(player.outline().length).expect("the end");
        assert_eq!(player.deviations(), 0);
        let moment = player.moment();
        let totals = moment.measurement.index.totals();
        assert!(totals.duplicate > 100, "{totals:?}");
        assert_eq!(totals.hashed, totals.resident);
        let identity = &moment.measurement.identity;
        assert!(identity.layers.layers.len() > 3, "{:?}", identity.layers);
        for file in identity.files.values() {
            assert!(file.place.layer.is_some(), "{file:?}");
            assert!(
                file.path.starts_with("/var/lib/containers/storage"),
                "{}",
                file.path
            );
        }
    }

    #[test]
    fn sort_and_filter_hold_from_the_start_and_wrong_ones_are_named() {
        let list = files_of(&["-s", "path", "-F", "dup>1MiB"]).expect("a list");
        assert_eq!(list.sort().spec().name, "path");
        assert_eq!(list.filter(), "dup>1MiB");
        let wrong = files_of(&["-s", "colour"]).expect_err("no such column");
        assert!(
            wrong.contains("'colour'") && wrong.contains("path"),
            "{wrong}"
        );
        assert!(files_of(&["-F", "dup>"]).is_err());
        for option in [&["-F", "dup>1"][..], &["-s", "path"], &["--no-headers"]] {
            let text = files_of(&[option, &["--format", "text"]].concat());
            assert!(text.is_ok(), "{text:?}");
            let json = files_of(&[option, &["--format", "json"]].concat());
            assert!(json.err().is_some_and(|error| error.contains("for text")));
        }
    }
}

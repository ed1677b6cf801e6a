//! `sharestat top`: watch live, on a screen, or as text and documents in a pipe.

pub(super) mod args;
mod picture;
mod rows;
mod screen;
mod stream;

use std::io::{self, IsTerminal as _};

use args::TopArgs;

use super::{
    args::Common,
    exit::{Exit, Failure},
    log, scan,
};
use crate::kernel::{Live, LiveOptions};

pub(super) fn run(arguments: &TopArgs, common: &Common) -> Result<Exit, Failure> {
    log::start(arguments.instrument.bpf_log);
    let on_screen = io::stdout().is_terminal() && !arguments.wants_stream();
    let every = if arguments.once {
        stream::ONCE_EVERY
    } else {
        arguments.delay.0
    };
    let live = Live::start(LiveOptions {
        paths: arguments.paths.clone(),
        seed: scan::seed(arguments.seed)?,
        cpu_budget: if arguments.once {
            // One look, as exact as `scan`: there is nothing to be gentle for.
            1.0
        } else {
            arguments.cpu_budget / 100.0
        },
        every,
        ring_bytes: arguments.instrument.ring_bytes,
        log_level: arguments.instrument.log_level(),
    })?;
    if on_screen {
        screen::show(live, arguments, common)
    } else {
        stream::print(live, arguments, common)
    }
}

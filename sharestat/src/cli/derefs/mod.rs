//! `sharestat derefs`: which kernel code touches `folio->mapping`. One file per part.

pub(super) mod args;
mod command;
mod diff;
mod exercise;
mod result;
mod sites;
mod trace;
mod watch;

use super::{
    args::Common,
    exit::{Exit, Failure},
};
use crate::derefs::{
    LiveError,
    static_list::{ListError, Source},
};
use crate::kernel::watcher::WatcherOptions;
use args::{BreakpointArgs, DerefsArgs, DerefsCommand, StaticArgs};

pub(super) fn run(arguments: &DerefsArgs, common: &Common) -> Result<Exit, Failure> {
    match &arguments.command {
        DerefsCommand::Watch(arguments) => watch::run(arguments, common),
        DerefsCommand::Exercise(arguments) => exercise::run(arguments, common),
        DerefsCommand::Trace(arguments) => trace::run(arguments, common),
        DerefsCommand::Sites(arguments) => sites::run(arguments),
        DerefsCommand::Diff(arguments) => diff::run(arguments),
    }
}

impl BreakpointArgs {
    fn watcher(&self) -> WatcherOptions {
        WatcherOptions {
            slots: usize::from(self.slots),
            ..WatcherOptions::default()
        }
    }
}

impl StaticArgs {
    fn source(&self) -> Option<Source> {
        match (&self.sites, &self.image, self.live) {
            (Some(path), ..) => Some(Source::List(path.clone())),
            (None, Some(path), _) => Some(Source::Image(path.clone())),
            (None, None, true) => Some(Source::Live),
            (None, None, false) => None,
        }
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Kernel(error) | LiveError::List(ListError::Kernel(error)) => error.into(),
            LiveError::Symbols(_) => Self::new(Exit::Privilege, error),
            LiveError::List(
                ListError::Read { .. } | ListError::Parse { .. } | ListError::Mismatch { .. },
            )
            | LiveError::Paths(_) => Self::new(Exit::Usage, error),
            LiveError::List(_)
            | LiveError::Types(_)
            | LiveError::NoTypes(_)
            | LiveError::Workload(_) => Self::new(Exit::Kernel, error),
        }
    }
}

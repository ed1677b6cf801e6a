//! The command that `watch` and `trace` run meanwhile.

use std::{
    ffi::OsString,
    process::{Child, Command},
};

use crate::derefs::LiveError;

/// A running command.
pub(super) struct Workload {
    name: String,
    child: Child,
}

impl Workload {
    /// Starts what `words` say; `None` when they say nothing.
    pub(super) fn start(words: &[OsString]) -> Result<Option<Self>, LiveError> {
        let Some((program, rest)) = words.split_first() else {
            return Ok(None);
        };
        let name = program.to_string_lossy().into_owned();
        let child = Command::new(program)
            .args(rest)
            .spawn()
            .map_err(|error| LiveError::Workload(format!("cannot run '{name}': {error}")))?;
        Ok(Some(Self { name, child }))
    }

    /// Whether it ended; one that cannot be waited for is none of ours any more.
    pub(super) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// How it stands, as a sentence.
    pub(super) fn told(&mut self) -> String {
        let state = match self.child.try_wait() {
            Ok(Some(status)) if status.success() => "ended well".to_owned(),
            Ok(Some(status)) => format!("ended with {status}"),
            Ok(None) | Err(_) => "was still running when watching ended".to_owned(),
        };
        format!(
            "watched while '{}' ran, which {state}; other tasks were watched too",
            self.name
        )
    }
}

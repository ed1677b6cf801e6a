//! How long a guest is waited for.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// What the guest's init writes to its console before it runs the command.
const UP: &[u8] = b"guest: up";

/// A boot takes 5 to 30 s. One that takes this long never ends: under emulation the second
/// CPU loses its timer now and then, and everything that sleeps there sleeps for ever.
const START: Duration = Duration::from_secs(150);

/// What has not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The start of the command.
    Start,
    /// The end of the command.
    Command,
}

/// The moments at which a guest is given up.
pub(super) struct Patience {
    /// For the start of the command; none once it has begun.
    start: Option<Instant>,
    /// For its end.
    command: Option<Instant>,
    console: PathBuf,
}

impl Patience {
    /// Begins now. `console` is the file of the kernel's messages.
    pub(super) fn new(time_out: Option<Duration>, console: PathBuf) -> Self {
        let now = Instant::now();
        Self {
            start: Some(now + START),
            command: time_out.map(|limit| now + limit),
            console,
        }
    }

    /// What is overdue by now, if anything is.
    pub(super) fn ends(&mut self) -> Option<Overdue> {
        let now = Instant::now();
        if self.start.is_some_and(|start| now >= start) {
            if !self.is_up() {
                return Some(Overdue::Start);
            }
            self.start = None;
        }
        self.command
            .is_some_and(|command| now >= command)
            .then_some(Overdue::Command)
    }

    fn is_up(&self) -> bool {
        let said = fs::read(&self.console).unwrap_or_default();
        said.windows(UP.len()).any(|words| words == UP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_is_up_is_waited_for_and_another_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let console = folder.path().join("console.log");
        let late = || Patience {
            start: Some(Instant::now()),
            ..Patience::new(Some(Duration::from_hours(1)), console.clone())
        };
        assert_eq!(late().ends(), Some(Overdue::Start));
        fs::write(&console, "[    2.1] something\nguest: up\n").expect("written");
        let mut patience = late();
        assert_eq!(patience.ends(), None);
        patience.command = Some(Instant::now());
        assert_eq!(patience.ends(), Some(Overdue::Command));
    }
}

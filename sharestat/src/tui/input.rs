//! Reads keys, mouse and resizes on a thread of its own, which ends with its owner.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long the thread may take to notice that it should end.
const POLL: Duration = Duration::from_millis(50);

/// How long its owner waits for it. On a terminal that is gone, crossterm's `poll` may never
/// return; then the thread ends with the process.
const PATIENCE: Duration = Duration::from_millis(250);

/// Events of the terminal.
pub(super) struct Input {
    /// Events, then the error that ended them.
    pub(super) events: UnboundedReceiver<io::Result<Event>>,
    stop: Arc<AtomicBool>,
    ended: mpsc::Receiver<()>,
}

impl Input {
    pub(super) fn start() -> Self {
        let (sender, events) = unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (end, ended) = mpsc::channel();
        thread::spawn(move || {
            read(&sender, &stopped);
            // Its owner may have stopped waiting.
            let _ = end.send(());
        });
        Self {
            events,
            stop,
            ended,
        }
    }
}

fn read(sender: &UnboundedSender<io::Result<Event>>, stopped: &AtomicBool) {
    while !stopped.load(Ordering::Relaxed) {
        let event = match event::poll(POLL) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let failed = event.is_err();
        if sender.send(event).is_err() || failed {
            return;
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Until it has ended, it would take keys that are meant for the shell.
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

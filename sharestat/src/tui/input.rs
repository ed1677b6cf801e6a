//! Reads keys, mouse and resizes on a thread of its own, which ends with its owner.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long the thread may take to notice that it should end.
const POLL: Duration = Duration::from_millis(50);

/// Events of the terminal.
pub(super) struct Input {
    /// Events, then the error that ended them.
    pub(super) events: UnboundedReceiver<io::Result<Event>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Input {
    pub(super) fn start() -> Self {
        let (sender, events) = unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || read(&sender, &stopped));
        Self {
            events,
            stop,
            thread: Some(thread),
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
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked in a way that matters now.
            let _ = thread.join();
        }
    }
}

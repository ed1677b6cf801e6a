//! A pseudo-terminal with `sharestat top` in it: keys and signals in, a screen out, and
//! the state of the terminal compared before and after.

use std::{
    env,
    fs::File,
    io,
    num::NonZeroU16,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::PathBuf,
    process::{Child, Command},
    ptr::null_mut,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, Signal, kill_process},
    termios::{Termios, Winsize, tcgetattr, tcsetwinsize},
};
use tempfile::TempDir;
use vt100::{MouseProtocolMode, Parser};

/// Longest wait for anything: an emulated machine is slow.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks at what the terminal has.
const LOOK: Duration = Duration::from_millis(10);

/// A running `sharestat top` and its terminal.
pub(crate) struct Session {
    child: Child,
    master: OwnedFd,
    /// Kept open, so that the terminal outlives the program and can be looked at.
    slave: OwnedFd,
    before: Termios,
    parser: Parser,
    output: Vec<u8>,
    /// Working directory: frames are written there.
    _directory: TempDir,
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_col: columns,
        ws_row: rows,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn some(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has rows and columns")
}

/// Both ends of a new pseudo-terminal.
fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: the two places are ours; the rest may be null (openpty(3)).
    let done = unsafe {
        libc::openpty(
            &raw mut master,
            &raw mut slave,
            null_mut(),
            null_mut(),
            null_mut(),
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: openpty succeeded, so both are open and nobody else's.
    Ok(unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) })
}

/// Makes the terminal on stdin the controlling one of a new session, as a login does.
fn take_terminal() -> io::Result<()> {
    // SAFETY: two system calls without memory arguments, safe between fork and exec.
    let done = unsafe { libc::setsid() >= 0 && libc::ioctl(0, libc::TIOCSCTTY, 0) == 0 };
    if done {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

impl Session {
    /// The program under test.
    pub(crate) fn binary() -> PathBuf {
        env::var_os("SHARESTAT_BIN")
            .map_or_else(|| env!("CARGO_BIN_EXE_sharestat").into(), PathBuf::from)
    }

    /// Starts `sharestat top` in a terminal of that size.
    pub(crate) fn start(columns: u16, rows: u16) -> Self {
        let mut command = Command::new(Self::binary());
        command.args(["top", "--delay", "500ms"]);
        Self::run(command, columns, rows)
    }

    /// Starts a program in a terminal of that size.
    pub(crate) fn run(mut command: Command, columns: u16, rows: u16) -> Self {
        let (master, slave) = open().expect("a pseudo-terminal");
        tcsetwinsize(&slave, size(columns, rows)).expect("a size can be set");
        let before = tcgetattr(&slave).expect("it is a terminal");
        let flags = fcntl_getfl(&master).expect("flags can be read");
        fcntl_setfl(&master, flags | OFlags::NONBLOCK).expect("flags can be set");
        // The child must not hold the master: the terminal would never hang up.
        // SAFETY: one system call on a descriptor of ours.
        unsafe { libc::fcntl(master.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
        let end = || File::from(slave.try_clone().expect("a descriptor can be copied"));
        let directory = tempfile::tempdir().expect("a directory");
        command
            .current_dir(directory.path())
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("NO_COLOR")
            .stdin(end())
            .stdout(end())
            .stderr(end());
        // SAFETY: see `take_terminal`.
        unsafe { command.pre_exec(take_terminal) };
        let child = command.spawn().expect("sharestat starts");
        drop(command);
        Self {
            child,
            master,
            slave,
            before,
            parser: Parser::new(some(rows), some(columns), 0),
            output: Vec::new(),
            _directory: directory,
        }
    }

    /// Takes what the program has written.
    fn take(&mut self) {
        let mut buffer = [0; 16_384];
        while let Ok(bytes @ 1..) = rustix::io::read(&self.master, &mut buffer) {
            self.parser.process(&buffer[..bytes]);
            self.output.extend_from_slice(&buffer[..bytes]);
        }
    }

    /// Takes output for a while.
    pub(crate) fn watch(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.take();
            thread::sleep(LOOK);
        }
        self.take();
    }

    /// Repeats until it holds; fails with the screen when it takes too long.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        loop {
            self.take();
            if holds(self) {
                return;
            }
            assert!(
                self.is_alive(),
                "ended while waiting for {what}:\n{}",
                self.text()
            );
            assert!(
                begun.elapsed() < PATIENCE,
                "no {what} in this:\n{}",
                self.text()
            );
            thread::sleep(LOOK);
        }
    }

    /// Waits until the screen holds these words.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, words: &str) {
        self.until(&format!("'{words}'"), |session| {
            session.text().contains(words)
        });
    }

    /// What the screen shows.
    pub(crate) fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// One row of the screen.
    pub(crate) fn row(&self, number: usize) -> String {
        self.text().lines().nth(number).unwrap_or("").to_owned()
    }

    /// Types these bytes.
    pub(crate) fn press(&mut self, keys: &[u8]) {
        rustix::io::write(&self.master, keys).expect("the terminal takes keys");
    }

    /// Changes the size; the kernel sends SIGWINCH.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        tcsetwinsize(&self.master, size(columns, rows)).expect("a size can be set");
        self.take();
        self.parser.set_size(some(rows), some(columns));
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is running");
    }

    /// Whether the program still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// The program ends with this exit code, without a panic, and gives the terminal back.
    #[track_caller]
    pub(crate) fn left_with(self, code: i32) {
        let said = self.restored(code);
        assert!(!said.contains("panicked"), "{said}");
    }

    /// The program ends with this exit code and gives the terminal back. Returns its output.
    #[track_caller]
    pub(crate) fn restored(mut self, code: i32) -> String {
        let begun = Instant::now();
        while self.is_alive() {
            assert!(begun.elapsed() < PATIENCE, "does not end:\n{}", self.text());
            self.watch(LOOK);
        }
        self.take();
        let status = self.child.wait().expect("it has ended");
        let said = String::from_utf8_lossy(&self.output).into_owned();
        assert_eq!(status.code(), Some(code), "{status}:\n{}", self.text());
        let screen = self.parser.screen();
        assert!(
            said.contains("\x1b[?1049h"),
            "the alternate screen was used"
        );
        assert!(!screen.alternate_screen(), "the alternate screen was left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::None);
        let after = tcgetattr(&self.slave).expect("the terminal is still there");
        let before = &self.before;
        assert_eq!(after.input_modes, before.input_modes);
        assert_eq!(after.output_modes, before.output_modes);
        assert_eq!(after.control_modes, before.control_modes);
        assert_eq!(after.local_modes, before.local_modes);
        said
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

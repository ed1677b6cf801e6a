//! A running `sharestat serve` and a client that speaks HTTP by hand.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Read as _, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::openmetrics::{self, Sample};

/// Longest that anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) fn binary() -> PathBuf {
    env::var_os("SHARESTAT_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_sharestat").into(), PathBuf::from)
}

/// A directory on a disk with two files of `pages` pages each, equal, cached and clean.
pub(crate) fn duplicates(pages: u32) -> TempDir {
    let parent = match env::var_os("SHARESTAT_GUEST") {
        Some(_) => env::temp_dir(),
        None => env!("CARGO_TARGET_TMPDIR").into(),
    };
    let directory = tempfile::tempdir_in(parent).expect("a directory");
    let content: Vec<u8> = (1..=pages)
        .flat_map(|page| page.to_le_bytes().repeat(1024))
        .collect();
    for name in ["one", "two"] {
        let mut file = fs::File::create(directory.path().join(name)).expect("a file");
        file.write_all(&content).expect("written");
        file.sync_all().expect("synced");
    }
    directory
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Reads one answer with a length.
pub(crate) fn read_answer(stream: &mut impl io::Read) -> io::Result<Answer> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let field = |name: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
    };
    let length = field("content-length: ").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer {
        status: status.unwrap_or(0),
        head,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// A service that runs until dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) stderr: BufReader<ChildStderr>,
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts it on a free port of loopback, measuring `data`.
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::start_by(Command::new(binary()), data, arguments)
    }

    /// The same by a command that ends in the name of the program.
    pub(crate) fn start_by(mut program: Command, data: &Path, arguments: &[&str]) -> Self {
        let free = ["--listen", "127.0.0.1:0"];
        let chosen = arguments.contains(&free[0]);
        let mut child = program
            .args(["serve", "--path"])
            .arg(data)
            .args(if chosen { &[][..] } else { &free })
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("it says where");
        let address = line
            .split_once("://")
            .and_then(|(_, rest)| rest.trim().trim_end_matches('/').parse().ok())
            .unwrap_or_else(|| panic!("no address in '{line}'"));
        Self {
            child,
            stderr,
            address,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time out");
        stream
    }

    /// Asks with a method and more lines of the head.
    pub(crate) fn ask(&self, method: &str, path: &str, lines: &str) -> Answer {
        let mut stream = self.connect();
        let host = self.address;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n"
        )
        .expect("asked");
        if method == "HEAD" {
            let mut head = String::new();
            stream.read_to_string(&mut head).expect("answered");
            return Answer {
                status: 0,
                body: head.split_once("\r\n\r\n").expect("a head").1.to_owned(),
                head,
            };
        }
        read_answer(&mut stream).expect("answered")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    /// The metrics, which must be `OpenMetrics`.
    pub(crate) fn metrics(&self) -> Metrics {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        Metrics::of(&answer.body)
    }

    /// The metrics, as soon as they fit.
    pub(crate) fn until(&self, what: &str, fits: impl Fn(&Metrics) -> bool) -> Metrics {
        let begun = Instant::now();
        loop {
            let metrics = self.metrics();
            if fits(&metrics) {
                return metrics;
            }
            assert!(begun.elapsed() < PATIENCE, "never {what}: {metrics:?}");
            sleep(Duration::from_millis(100));
        }
    }

    /// Ends it with a signal; the code, and what it said since it served.
    pub(crate) fn end(mut self, signal: Signal) -> (ExitStatus, String) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        let mut words = String::new();
        self.stderr.read_to_string(&mut words).expect("text");
        (self.child.wait().expect("it ends"), words)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The samples of one scrape.
#[derive(Debug)]
pub(crate) struct Metrics(pub(crate) Vec<Sample>);

impl Metrics {
    pub(crate) fn of(text: &str) -> Self {
        Self(openmetrics::check(text).unwrap_or_else(|error| panic!("{error}\n{text}")))
    }

    /// The sum of all rows; `None` without any.
    pub(crate) fn sum(&self, name: &str) -> Option<f64> {
        let rows = self.0.iter().filter(|sample| sample.name == name);
        rows.map(|sample| sample.value)
            .fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }

    /// Whether it is exactly that whole number.
    pub(crate) fn is(&self, name: &str, value: u32) -> bool {
        self.sum(name)
            .is_some_and(|sum| (sum - f64::from(value)).abs() < 0.5)
    }
}

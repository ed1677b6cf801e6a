//! `sharestat serve`: the live measurement on a thread of its own, its metrics and its page
//! over HTTP on this one.

use std::{
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use clap::Args;
use rustix::process::setpriority_process;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::{
    args::{Common, InstrumentArgs},
    exit::{EXIT_CODES, Exit, Failure},
    log, scan,
    top::args::{Delay, percent},
};
use crate::{
    kernel::{self, Go, Live, LiveOptions, Request, moment::Moment},
    report::Host,
    serve::{self, Access, Answers, Board, Limits, Publisher, Server, Token},
};

const SERVE_HELP: &str = "\
Examples:
  sudo sharestat serve                          http://127.0.0.1:9934/
  curl -s localhost:9934/metrics                what Prometheus scrapes
  sudo sharestat serve --path /var/lib/docker   only files below a directory
  sudo sharestat serve --listen 0.0.0.0 --token-file /etc/sharestat/token \\
      --tls-cert /etc/sharestat/cert.pem --tls-key /etc/sharestat/key.pem";

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(
    after_help = SERVE_HELP,
    after_long_help = format!("{SERVE_HELP}\n\n{EXIT_CODES}"),
    long_about = "Measures without end, as 'top' does, and offers the result over HTTP: '/metrics' in \
        OpenMetrics, '/' as a page that renews itself, '/report.json', and '/healthz'.\n\n\
        Metrics name no file. The page and the report do: they are offered on loopback, or to \
        clients with the token. When the measurement stops, 'sharestat_up' is 0 and its numbers \
        are gone. SIGINT and SIGTERM end it, with exit code 0."
)]
pub struct ServeArgs {
    /// Listen there: address and port, or one of them.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9934")]
    pub listen: String,
    /// Clients must know the token that is in this file, but for '/healthz'.
    ///
    /// They send it as 'Authorization: Bearer TOKEN', or browsers as a password.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// Speak TLS with this certificate chain, in PEM.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Measure only files below this directory (may be repeated).
    #[arg(long = "path", value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub paths: Vec<PathBuf>,
    /// Time between samples: 5, 500ms, 1m.
    #[arg(long, value_name = "TIME", default_value = "5")]
    pub every: Delay,
    /// Share of one CPU that hashing may take, in percent; reports may take as much again.
    #[arg(long, value_name = "PERCENT", default_value = "2", value_parser = percent)]
    pub cpu_budget: f64,
    /// Files listed on the page and in the report; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub top: usize,
    /// Connections at a time; more wait.
    #[arg(long, value_name = "N", default_value_t = 64, hide_short_help = true,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub max_connections: u16,
    /// Time that a client may take to ask, and between two reads of the answer.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10",
        hide_short_help = true
    )]
    pub client_timeout: Delay,
    /// Seed of the page hashes; random when not given.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Options that hardly anybody needs.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
}

/// How much nicer than the collector clients are served.
const NICE: i32 = 5;
/// How often to look whether the collector is still there.
const LOOK: Duration = Duration::from_millis(200);

pub(super) fn run(arguments: &ServeArgs, common: &Common) -> Result<Exit, Failure> {
    log::start(arguments.instrument.bpf_log);
    // What can be refused at once is refused before the instrument is started.
    let listener = serve::listen(&arguments.listen)?;
    let address = listener.local_addr().map_err(|error| cannot(&error))?;
    let token = arguments.token_file.as_deref().map(Token::read);
    let access = Access::new(token.transpose()?, address.ip());
    let files = arguments
        .tls_cert
        .as_deref()
        .zip(arguments.tls_key.as_deref());
    let tls = files.map(|(certificate, key)| serve::acceptor(certificate, key));
    let tls = tls.transpose()?;
    let runtime = runtime()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let limits = Limits {
        connections: arguments.max_connections.into(),
        patience: arguments.client_timeout.0,
    };
    let server = {
        let _inside = runtime.enter();
        Server::new(listener, tls, limits).map_err(|error| cannot(&error))?
    };
    let board = Arc::new(Board::new(arguments.every.0));
    let shows_files = access.shows_files();
    let answers = Arc::new(Answers::new(Arc::clone(&board), access));
    let collector = Collector::start(arguments, board, common.quiet)?;
    // Under a storm of requests the collector goes first. Where it is not allowed, they
    // are equal.
    let _ = setpriority_process(None, NICE);
    if !common.quiet {
        eprintln!("sharestat: serving {scheme}://{address}/");
        if !shows_files {
            eprintln!(
                "sharestat: only metrics and health: the page and the report name files, and \
                 on a network that needs '--token-file'"
            );
        }
    }
    runtime.block_on(async {
        tokio::select! {
            signalled = signalled() => signalled.map_err(|error| cannot(&error)),
            () = server.run(answers) => Ok(()),
            () = collector.watched() => Ok(()),
        }
    })?;
    collector.end();
    Ok(Exit::Ok)
}

fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|source| kernel::Error::Runtime { source }.into())
}

fn cannot(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Kernel, format!("cannot serve: {error}"))
}

async fn signalled() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// The thread that measures.
struct Collector {
    thread: JoinHandle<()>,
    board: Arc<Board>,
    requests: mpsc::Sender<Request>,
}

impl Collector {
    fn start(arguments: &ServeArgs, board: Arc<Board>, quiet: bool) -> Result<Self, Failure> {
        let budget = arguments.cpu_budget / 100.0;
        let live = Live::start(&LiveOptions {
            paths: arguments.paths.clone(),
            seed: scan::seed(arguments.seed)?,
            cpu_budget: budget,
            every: arguments.every.0,
            ring_bytes: arguments.instrument.ring_bytes,
            log_level: arguments.instrument.log_level(),
            ask_storage: true,
        })?;
        let (requests, requested) = mpsc::channel(4);
        let shown = Arc::clone(&board);
        let publisher = Publisher::new(Arc::clone(&board), Host::read(), arguments.top, budget);
        let thread = thread::Builder::new()
            .name("collector".to_owned())
            .spawn(move || {
                let why = match measure(live, requested, publisher) {
                    Ok(()) => return,
                    Err(failure) => failure.to_string(),
                };
                shown.stop(&why);
                if !quiet {
                    eprintln!("sharestat: the measurement has ended: {why}");
                }
            })
            .map_err(|error| cannot(&error))?;
        Ok(Self {
            thread,
            board,
            requests,
        })
    }

    /// Says on the board when the thread is gone, however it went. Never ends.
    async fn watched(&self) {
        while !self.thread.is_finished() {
            tokio::time::sleep(LOOK).await;
        }
        self.board
            .stop_unless_told("its thread is gone; this is a defect of sharestat");
        std::future::pending::<()>().await;
    }

    /// Ends the measurement and waits for what it leaves in the kernel to go.
    fn end(self) {
        let _ = self.requests.try_send(Request::Stop);
        drop(self.requests);
        let _ = self.thread.join();
    }
}

fn measure(
    live: Live,
    requested: mpsc::Receiver<Request>,
    mut publisher: Publisher,
) -> Result<(), Failure> {
    let watch = live.run(requested, |view| {
        publisher.take(&Moment::from(view));
        Go::On
    });
    Ok(runtime()?.block_on(watch)?)
}

impl From<serve::Error> for Failure {
    fn from(error: serve::Error) -> Self {
        let exit = if error.is_privilege() {
            Exit::Privilege
        } else {
            Exit::Usage
        };
        Self::new(exit, error)
    }
}

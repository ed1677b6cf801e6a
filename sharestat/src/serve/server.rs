//! Accepts connections: a bounded number, each with a bounded time to say what it wants, to
//! read the answer, and to live. More wait in the kernel's queue.

use std::{
    convert::Infallible,
    io,
    net::TcpListener,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use super::Answers;

/// A request's head that is longer is refused; hyper's least is 8 KiB.
const LONGEST_HEAD: usize = 16 << 10;
/// Connections end after this long, however busy: nobody keeps a place for ever.
const LIFE: Duration = Duration::from_mins(2);
/// After failing to accept, for lack of descriptors for example.
const BREATH: Duration = Duration::from_millis(100);

/// How much clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Time to say what is wanted, and between two reads of the answer.
    pub patience: Duration,
}

/// Serves a listening socket.
pub struct Server {
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
}

impl Server {
    /// Takes over a listening socket that does not block; inside a runtime.
    ///
    /// # Errors
    /// When the runtime refuses it.
    pub fn new(
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        limits: Limits,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: tokio::net::TcpListener::from_std(listener)?,
            tls,
            limits,
        })
    }

    /// Answers until dropped.
    pub async fn run(self, answers: Arc<Answers>) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        // Ends them all when dropped.
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let socket = match self.listener.accept().await {
                Ok((socket, _)) => socket,
                Err(_) => {
                    sleep(BREATH).await;
                    continue;
                }
            };
            let (tls, patience) = (self.tls.clone(), self.limits.patience);
            let answers = Arc::clone(&answers);
            connections.spawn(async move {
                let _place = place;
                let _open = answers.traffic.opened();
                if attend(socket, tls, patience, &answers).await.is_none() {
                    answers.traffic.was_cut();
                }
            });
        }
    }
}

/// One connection from its beginning to its end; `None` when it had to be cut.
async fn attend(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    patience: Duration,
    answers: &Answers,
) -> Option<()> {
    // Answers are written at once; waiting to fill packets would only delay them.
    let _ = socket.set_nodelay(true);
    let mut stream = TimeoutStream::new(socket);
    stream.set_write_timeout(Some(patience));
    let stream = Box::pin(stream);
    match tls {
        None => talk(stream, patience, answers).await,
        Some(tls) => {
            let secured = timeout(patience, tls.accept(stream)).await.ok()?.ok()?;
            talk(Box::pin(secured), patience, answers).await
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite>(
    stream: Pin<Box<S>>,
    patience: Duration,
    answers: &Answers,
) -> Option<()> {
    let service =
        service_fn(|request| async move { Ok::<_, Infallible>(answers.answer(&request)) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = sleep(LIFE) => {
            connection.as_mut().graceful_shutdown();
            timeout(patience, connection).await.ok()?
        }
    };
    ended.ok()
}

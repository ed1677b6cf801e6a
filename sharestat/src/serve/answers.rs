//! What a request gets: the list of paths, and one answer for each. Bodies that many may
//! ask for are made once and shared.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{self, HeaderValue},
};

use super::{
    Access, Board,
    access::Refusal,
    board::{Reading, Sample, Shown},
    metrics,
    own::Traffic,
};
use crate::report::{html, json};

type Answer = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const PATHS: &str = "there are '/', '/metrics', '/report.json' and '/healthz'\n";
/// How long the first sample may take: naming many files takes its time.
const STARTING: Duration = Duration::from_mins(5);

/// Metrics are written anew after this long: a storm of scrapes costs ten texts a second.
const FRESH: Duration = Duration::from_millis(100);

/// Answers requests.
#[derive(Debug)]
pub struct Answers {
    board: Arc<Board>,
    access: Access,
    written: Mutex<Option<(Instant, Bytes)>>,
    pub(super) traffic: Traffic,
}

impl Answers {
    /// From `board`, to whom `access` lets.
    #[must_use]
    pub fn new(board: Arc<Board>, access: Access) -> Self {
        Self {
            board,
            access,
            written: Mutex::new(None),
            traffic: Traffic::default(),
        }
    }

    /// The answer.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Answer {
        let answer = self.route(request);
        self.traffic.answered(answer.status().as_u16());
        answer
    }

    fn route<B>(&self, request: &Request<B>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = words(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(header::ALLOW, allowed);
            return answer;
        }
        let path = request.uri().path();
        if path == "/healthz" {
            return self.health();
        }
        let files = matches!(path, "/" | "/report.json");
        if let Err(refusal) = self.access.check(request.headers(), files) {
            return refused(refusal);
        }
        match path {
            "/metrics" => self.metrics(),
            "/" => self.page(),
            "/report.json" => self.report(),
            _ => words(StatusCode::NOT_FOUND, PATHS),
        }
    }

    fn metrics(&self) -> Answer {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match &*written {
            Some((when, text)) if when.elapsed() < FRESH => text.clone(),
            _ => match metrics::text(&self.board, &self.traffic) {
                Ok(text) => written.insert((Instant::now(), text.into())).1.clone(),
                Err(_) => return failed(),
            },
        };
        body(StatusCode::OK, metrics::CONTENT_TYPE, text)
    }

    fn health(&self) -> Answer {
        match self.board.read() {
            Reading::Fresh(_) => words(StatusCode::OK, "ok\n"),
            Reading::Starting if self.board.age() < STARTING => words(StatusCode::OK, "starting\n"),
            _ => words(StatusCode::SERVICE_UNAVAILABLE, &self.no_report()),
        }
    }

    fn report(&self) -> Answer {
        let Some((_, shown)) = self.shown() else {
            return words(StatusCode::SERVICE_UNAVAILABLE, &self.no_report());
        };
        let made = shared(&shown.json, |out| json::write(&shown.report, out));
        made.map_or_else(failed, |json| {
            body(StatusCode::OK, "application/json", json)
        })
    }

    fn page(&self) -> Answer {
        let every = self.board.every().as_secs().max(1);
        let Some((sample, shown)) = self.shown() else {
            let why = self.no_report();
            let mut page = Vec::new();
            return match html::write_notice(&why, every, &mut page) {
                Ok(()) => body(StatusCode::SERVICE_UNAVAILABLE, HTML, page.into()),
                Err(_) => failed(),
            };
        };
        let made = shared(&sample.page, |out| {
            let true_at = sample.report_at.strftime("%F %T UTC").to_string();
            html::write_live(&shown.report, &true_at, every, out)
        });
        made.map_or_else(failed, |page| body(StatusCode::OK, HTML, page))
    }

    /// The sample and its report, while they are fresh.
    fn shown(&self) -> Option<(Arc<Sample>, Arc<Shown>)> {
        let Reading::Fresh(sample) = self.board.read() else {
            return None;
        };
        let shown = Arc::clone(sample.report.as_ref()?);
        Some((sample, shown))
    }

    /// Why there is no report now.
    fn no_report(&self) -> String {
        match self.board.read() {
            Reading::Starting => "the measurement is starting\n".to_owned(),
            Reading::Fresh(sample) => format!(
                "the first census is running, {} % of memory was walked\n",
                sample.census.unwrap_or(0)
            ),
            Reading::Silent(age) => format!(
                "the measurement has not been heard of for {} s; its last numbers are withdrawn\n",
                age.as_secs()
            ),
            Reading::Stopped(why) => {
                format!("the measurement has ended, its last numbers are withdrawn: {why}\n")
            }
        }
    }
}

/// What was made before, else what `make` makes now.
fn shared(
    place: &OnceLock<Bytes>,
    make: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
) -> Option<Bytes> {
    if let Some(made) = place.get() {
        return Some(made.clone());
    }
    let mut out = Vec::new();
    make(&mut out).ok()?;
    Some(place.get_or_init(|| out.into()).clone())
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Token => {
            let mut answer = words(
                StatusCode::UNAUTHORIZED,
                "give the token, as 'Authorization: Bearer TOKEN' or as a password with any name\n",
            );
            let headers = answer.headers_mut();
            let bearer = HeaderValue::from_static("Bearer realm=\"sharestat\"");
            headers.append(header::WWW_AUTHENTICATE, bearer);
            let basic = HeaderValue::from_static("Basic realm=\"sharestat\", charset=\"UTF-8\"");
            headers.append(header::WWW_AUTHENTICATE, basic);
            answer
        }
        Refusal::Network => words(
            StatusCode::FORBIDDEN,
            "this page names files of the host, and the service listens on a network without \
             a token: start it with '--token-file', or on loopback\n",
        ),
        Refusal::Name => words(
            StatusCode::MISDIRECTED_REQUEST,
            "this page names files of the host: ask for it as 'localhost' or by address\n",
        ),
    }
}

fn failed() -> Answer {
    words(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the answer could not be written; this is a defect of sharestat\n",
    )
}

fn words(status: StatusCode, words: &str) -> Answer {
    body(status, TEXT, words.to_owned().into())
}

fn body(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{super::board::tests::sample, *};

    fn answers() -> Answers {
        let board = Arc::new(Board::new(Duration::from_secs(1)));
        Answers::new(board, Access::new(None, Ipv4Addr::LOCALHOST.into()))
    }

    fn status(answers: &Answers, path: &str) -> u16 {
        let request = Request::get(path).body(()).expect("a request");
        answers.answer(&request).status().as_u16()
    }

    #[test]
    fn what_there_is_no_report_for_is_unavailable_and_says_why() {
        let answers = answers();
        assert_eq!(status(&answers, "/healthz"), 200);
        assert_eq!(status(&answers, "/"), 503);
        answers.board.show(sample(false));
        assert!(answers.no_report().contains("37 %"));
        assert_eq!(status(&answers, "/report.json"), 503);
        answers.board.show(sample(true));
        for path in ["/", "/report.json", "/metrics", "/healthz"] {
            assert_eq!(status(&answers, path), 200, "{path}");
        }
        answers.board.stop("a map is gone");
        assert!(answers.no_report().contains("a map is gone"));
        for path in ["/", "/report.json", "/healthz"] {
            assert_eq!(status(&answers, path), 503, "{path}");
        }
        assert_eq!(status(&answers, "/metrics"), 200);
    }

    #[test]
    fn a_page_is_made_once_for_all_who_ask() {
        let answers = answers();
        answers.board.show(sample(true));
        let place = || match answers.board.read() {
            Reading::Fresh(sample) => sample.page.get().map(|page| page.as_ptr()),
            _ => None,
        };
        assert_eq!(place(), None);
        status(&answers, "/");
        let first = place();
        status(&answers, "/");
        assert!(first.is_some() && place() == first);
    }
}

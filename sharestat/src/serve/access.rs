//! Who may read what. Metrics name no file; the page and the report do, so they are for
//! clients of this machine, or for those with the token.

use std::{fmt, fs, net::IpAddr, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::{HeaderMap, header};

use super::Error;

const WHAT: &str = "token file";
/// A file that is longer holds no token.
const LONGEST: u64 = 4096;

/// A secret that clients know. Never printed.
pub struct Token(Vec<u8>);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

impl Token {
    /// The token that is the only line of a file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no token.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Read {
            what: WHAT,
            path: path.to_owned(),
            source,
        };
        let unusable = |why: &str| Error::Content {
            what: WHAT,
            path: path.to_owned(),
            why: why.to_owned(),
        };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_file() && metadata.len() > LONGEST {
            return Err(unusable("it is longer than 4096 bytes, no token is"));
        }
        let content = fs::read(path).map_err(unreadable)?;
        let token = content.trim_ascii();
        if token.is_empty() {
            return Err(unusable(
                "it is empty; write the token into it, on one line",
            ));
        }
        // RFC 6750, section 2.1, and what basic authentication can carry.
        if !token.iter().all(u8::is_ascii_graphic) {
            return Err(unusable(
                "a token is one word of printable ASCII, and this is not",
            ));
        }
        Ok(Self(token.to_owned()))
    }

    /// Compares in a time that does not tell where the first difference is.
    fn is(&self, other: &[u8]) -> bool {
        let differences = self.0.iter().zip(other);
        let differences = differences.fold(0, |sum, (one, other)| sum | (one ^ other));
        self.0.len() == other.len() && differences == 0
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token is missing or wrong.
    Token,
    /// Names of files do not go over the network without a token.
    Network,
    /// The client was led here by a foreign name (DNS rebinding).
    Name,
}

/// Who may read what.
#[derive(Debug)]
pub struct Access {
    token: Option<Token>,
    address: IpAddr,
}

impl Access {
    /// With a token for everything, or with none; `address` is what is listened on.
    #[must_use]
    pub const fn new(token: Option<Token>, address: IpAddr) -> Self {
        Self { token, address }
    }

    /// Whether the page and the report are offered at all.
    #[must_use]
    pub fn shows_files(&self) -> bool {
        self.token.is_some() || self.address.is_loopback()
    }

    /// Whether a request may be answered; `files` when the answer names files.
    pub(super) fn check(&self, headers: &HeaderMap, files: bool) -> Result<(), Refusal> {
        match &self.token {
            Some(token) => match given(headers) {
                Some(given) if token.is(&given) => Ok(()),
                _ => Err(Refusal::Token),
            },
            None if !files => Ok(()),
            None if !self.address.is_loopback() => Err(Refusal::Network),
            None if !is_local(headers) => Err(Refusal::Name),
            None => Ok(()),
        }
    }
}

/// The bearer token, or the password that a browser asked for.
fn given(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.as_bytes().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(credentials).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_owned())
}

/// Whether the client calls this machine by a name that only itself can have.
fn is_local(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else {
        // No browser leaves it out.
        return true;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().expect("a value"))])
    }

    fn token(content: &str) -> Result<Token, String> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        fs::write(&path, content).expect("written");
        Token::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_token_opens_whether_as_bearer_or_as_password() {
        let access = Access::new(
            Some(token("s3cret\n").expect("a token")),
            Ipv4Addr::UNSPECIFIED.into(),
        );
        assert!(access.shows_files());
        let given = |value: &str| access.check(&headers(header::AUTHORIZATION, value), true);
        assert_eq!(given("Bearer s3cret"), Ok(()));
        assert_eq!(given("bearer  s3cret"), Ok(()));
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        assert_eq!(given(&basic("anybody:s3cret")), Ok(()));
        for wrong in [
            "Bearer s3cre",
            "Bearer s3cret0",
            "Bearer",
            "Bearer ",
            "s3cret",
            "Basic x",
        ] {
            assert_eq!(given(wrong), Err(Refusal::Token), "{wrong}");
        }
        assert_eq!(given(&basic("s3cret:")), Err(Refusal::Token));
        assert_eq!(
            access.check(&HeaderMap::new(), false),
            Err(Refusal::Token),
            "metrics need it too"
        );
    }

    #[test]
    fn without_a_token_files_are_named_on_loopback_only() {
        let open = Access::new(None, Ipv4Addr::UNSPECIFIED.into());
        assert!(!open.shows_files());
        assert_eq!(open.check(&HeaderMap::new(), false), Ok(()));
        assert_eq!(open.check(&HeaderMap::new(), true), Err(Refusal::Network));
        let local = Access::new(None, Ipv4Addr::LOCALHOST.into());
        let host = |name: &str| local.check(&headers(header::HOST, name), true);
        for name in ["localhost:9934", "127.0.0.1", "[::1]:9934", "127.1.2.3:1"] {
            assert_eq!(host(name), Ok(()), "{name}");
        }
        for name in [
            "evil.example:9934",
            "10.0.0.1",
            "localhost.evil.example",
            ":",
        ] {
            assert_eq!(host(name), Err(Refusal::Name), "{name}");
        }
    }

    #[test]
    fn a_file_without_a_token_is_refused_with_the_reason() {
        assert!(token("").expect_err("empty").contains("it is empty"));
        assert!(token(" \n").expect_err("blank").contains("it is empty"));
        assert!(token("a b").expect_err("two").contains("one word"));
        assert!(token(&"a".repeat(5000)).expect_err("long").contains("4096"));
        let missing = Token::read(Path::new("/nowhere/token")).expect_err("none");
        assert!(
            missing
                .to_string()
                .starts_with("cannot read the token file '/nowhere/token': ")
        );
    }
}

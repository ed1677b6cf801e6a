//! A digest of every byte of a table. Parquet's own metadata has none, a changed byte in a
//! hash or a path would be another answer, and the library panics at some it cannot read.
//!
//! It stands in the key-value metadata: XXH64 of the file with zeros in its place.

use std::io::{self, Write};

use xxhash_rust::xxh64::Xxh64;

/// Its key in the metadata.
pub(super) const DIGEST: &str = "sharestat.digest";

/// What stands in its place until it is known, and while it is computed.
pub(super) const UNKNOWN: &str = "0000000000000000";

/// Between the key and the value: the head of Thrift's second field, a text, and its length
/// (compact protocol).
const BETWEEN: usize = 2;

/// Passes bytes on; from [`hold`](Self::hold) on keeps them until the digest is known.
pub(super) struct Sealed<W> {
    inner: W,
    state: Xxh64,
    held: Option<Vec<u8>>,
}

impl<W: Write> Sealed<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            state: Xxh64::new(0),
            held: None,
        }
    }

    /// From here on bytes wait: what is before is final.
    pub(super) fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// Puts the digest into what was held, and writes it.
    pub(super) fn seal(mut self) -> io::Result<()> {
        let mut held = self.held.take().unwrap_or_default();
        self.state.update(&held);
        let at = place(&held).ok_or_else(|| io::Error::other("the table has no digest"))?;
        held[at..at + UNKNOWN.len()].copy_from_slice(text(&self.state).as_bytes());
        self.inner.write_all(&held)
    }
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if let Some(held) = &mut self.held {
            held.extend_from_slice(buffer);
            return Ok(buffer.len());
        }
        let written = self.inner.write(buffer)?;
        self.state.update(&buffer[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Whether the bytes of a file are those that were written; `None` without a digest.
pub(super) fn is_whole(file: &[u8]) -> Option<bool> {
    let at = place(file)?;
    let end = at + UNKNOWN.len();
    Some(of(file)? == file[at..end])
}

/// The digest that belongs into a file which has a place for it.
fn of(file: &[u8]) -> Option<[u8; 16]> {
    let at = place(file)?;
    let mut state = Xxh64::new(0);
    state.update(&file[..at]);
    state.update(UNKNOWN.as_bytes());
    state.update(&file[at + UNKNOWN.len()..]);
    text(&state).into_bytes().try_into().ok()
}

/// Where the digest stands: after the last key of that name, which no name or path of a
/// row can follow.
fn place(file: &[u8]) -> Option<usize> {
    let key = DIGEST.as_bytes();
    let found = file.windows(key.len()).rposition(|part| part == key)?;
    let at = found + key.len() + BETWEEN;
    (at + UNKNOWN.len() <= file.len()).then_some(at)
}

fn text(state: &Xxh64) -> String {
    format!("{:016x}", state.digest())
}

/// Puts the right digest into a file that a test has changed.
#[cfg(test)]
pub(in crate::snapshot) fn renew(file: &mut [u8]) {
    let (at, digest) = (place(file), of(file));
    let (at, digest) = at.zip(digest).expect("it has a digest");
    file[at..at + UNKNOWN.len()].copy_from_slice(&digest);
}

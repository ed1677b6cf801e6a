//! A digest of every byte of a table. Parquet's own metadata has none, a changed byte in a
//! hash or a path would be another answer, and the library panics at some it cannot read.
//!
//! It stands in the key-value metadata: XXH64 of the file with zeros in its place.

use std::io::{self, Read, Write};

use parquet::{errors::Result, file::reader::ChunkReader};
use xxhash_rust::xxh64::Xxh64;

/// Its key in the metadata.
pub(super) const DIGEST: &str = "sharestat.digest";

/// What stands in its place until it is known, and while it is computed.
pub(super) const UNKNOWN: &str = "0000000000000000";

/// Between the key and the value: the head of Thrift's second field, a text, and its length
/// (compact protocol).
const BETWEEN: usize = 2;

/// What follows the metadata, bytes.
const END: u64 = 8;

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

/// Whether the bytes of a file are those that were written; `None` without a digest. Passes
/// over the file once and holds its metadata only.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn is_whole(file: &impl ChunkReader) -> Result<Option<bool>> {
    Ok(stands(file)?.map(|digest| digest.found == digest.right))
}

/// The digest of a file that has a place for one.
struct Stands {
    #[cfg_attr(
        not(any(test, fuzzing)),
        expect(dead_code, reason = "tests put the right one there")
    )]
    at: u64,
    found: [u8; UNKNOWN.len()],
    right: [u8; UNKNOWN.len()],
}

fn stands(file: &impl ChunkReader) -> Result<Option<Stands>> {
    // The last eight bytes are the length of the metadata before them, and 'PAR1'.
    let Some(end) = file.len().checked_sub(END) else {
        return Ok(None);
    };
    let tail = file.get_bytes(end, 4)?;
    let metadata = tail
        .iter()
        .rev()
        .fold(0, |length, byte| length << u8::BITS | u64::from(*byte));
    let Some((begin, length)) = end
        .checked_sub(metadata)
        .zip(usize::try_from(metadata + END).ok())
    else {
        return Ok(None);
    };
    let held = file.get_bytes(begin, length)?;
    let Some(at) = place(&held) else {
        return Ok(None);
    };
    let after = at + UNKNOWN.len();
    let mut state = Xxh64::new(0);
    let mut before = file.get_read(0)?.take(begin + at as u64);
    let mut buffer = vec![0; 1 << 18];
    loop {
        match before.read(&mut buffer)? {
            0 => break,
            read => state.update(&buffer[..read]),
        }
    }
    state.update(UNKNOWN.as_bytes());
    state.update(&held[after..]);
    let right = text(&state).into_bytes().try_into();
    let found = held[at..after].try_into();
    let both = right.ok().zip(found.ok());
    Ok(both.map(|(right, found)| Stands {
        at: begin + at as u64,
        found,
        right,
    }))
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

/// Puts the right digest into a file that has a place for one; false when it has none.
#[cfg(any(test, fuzzing))]
pub(in crate::snapshot) fn renew(file: &mut [u8]) -> bool {
    let digest = stands(&bytes::Bytes::copy_from_slice(file)).ok().flatten();
    let Some(Stands { at, right, .. }) = digest else {
        return false;
    };
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    file[at..at + right.len()].copy_from_slice(&right);
    true
}

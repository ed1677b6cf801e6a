//! The bytes of a layer: a file, or a part of an archive, decompressed on the way, and no
//! more of them than may be.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::PathBuf,
};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::{
    error::Error,
    limits::{Bounded, Counted, Limits},
};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The last three bytes of the magic number of a zstd frame to skip; the first is `0x5?`.
const ZSTD_SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The largest window that a zstd layer may ask for, as of the `zstd` tool (`--long`).
const MOST_WINDOW: u64 = 128 << 20;

/// Where bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Blob {
    /// The file.
    pub(super) file: PathBuf,
    /// First byte and number of bytes; the whole file without.
    pub(super) part: Option<(u64, u64)>,
}

impl Blob {
    /// The bytes as they are.
    pub(super) fn open(&self) -> Result<Box<dyn Read>, Error> {
        let failed = |source| Error::io(&self.file, source);
        let mut file = File::open(&self.file).map_err(failed)?;
        let Some((first, bytes)) = self.part else {
            return Ok(Box::new(file));
        };
        file.seek(SeekFrom::Start(first)).map_err(failed)?;
        Ok(Box::new(file.take(bytes)))
    }

    /// The bytes, decompressed when they are compressed by gzip or zstd.
    pub(super) fn unpacked(&self, limits: Limits) -> Result<Box<dyn Read>, Error> {
        let (counted, packed) = Counted::new(self.open()?);
        let mut buffered = BufReader::with_capacity(1 << 17, counted);
        let start = buffered
            .fill_buf()
            .map_err(|source| Error::io(&self.file, source))?;
        if start.starts_with(&GZIP) {
            let plain = MultiGzDecoder::new(buffered);
            return Ok(Box::new(Bounded::new(plain, limits, Some(packed))));
        }
        if start.starts_with(&ZSTD) || start.get(1..4) == Some(&ZSTD_SKIPPED) {
            let plain = Frames {
                state: State::Between(buffered),
            };
            return Ok(Box::new(Bounded::new(plain, limits, Some(packed))));
        }
        Ok(Box::new(Bounded::new(buffered, limits, None)))
    }

    /// A small document.
    pub(super) fn small(&self, most: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.open()?
            .take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| Error::io(&self.file, source))?;
        if bytes.len() as u64 > most {
            return Err(Error::refused(
                &self.file,
                format!("a manifest of it is larger than {most} bytes"),
            ));
        }
        Ok(bytes)
    }
}

/// A zstd stream: frames one after the other, of which those to skip hold no data.
struct Frames<R: BufRead> {
    state: State<R>,
}

enum State<R: BufRead> {
    Between(R),
    Inside(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    Ended,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Inside(mut frame) => {
                    let read = frame.read(buffer)?;
                    if read > 0 {
                        self.state = State::Inside(frame);
                        return Ok(read);
                    }
                    self.state = State::Between(frame.into_inner());
                }
                State::Between(mut rest) => {
                    let start = rest.fill_buf()?;
                    if start.is_empty() {
                        return Ok(0);
                    }
                    if start.first().is_some_and(|byte| byte >> 4 == 5) {
                        skip(&mut rest)?;
                        self.state = State::Between(rest);
                        continue;
                    }
                    let frame = StreamingDecoder::new_with_max_window_size(rest, MOST_WINDOW)
                        .map_err(io::Error::other)?;
                    self.state = State::Inside(Box::new(frame));
                }
            }
        }
    }
}

/// Skips a frame without data: magic number, length, and as many bytes.
fn skip(from: &mut impl BufRead) -> io::Result<()> {
    let mut head = [0; 8];
    from.read_exact(&mut head)?;
    let [_, magic @ .., a, b, c, d] = head;
    if magic != ZSTD_SKIPPED {
        return Err(io::Error::other("what follows a zstd frame is none"));
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let skipped = io::copy(&mut from.take(length), &mut io::sink())?;
    if skipped < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

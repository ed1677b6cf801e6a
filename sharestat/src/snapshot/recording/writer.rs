//! Writes records into blocks. Keeps one block in memory, whatever happens; after a
//! failure it takes nothing more and remembers what went wrong.

use std::io::{self, Write};

use super::{
    block,
    header::{Header, MAGIC},
    record::Record,
};

/// A block is written when it is this long, or when [`flush`](Writer::flush) is called.
const BLOCK: usize = 128 << 10;

/// The writing end of a recording.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    open: Vec<u8>,
    blocks: u32,
    bytes: u64,
    changes: u64,
    failed: Option<io::Error>,
}

impl<W: Write> Writer<W> {
    /// Writes the beginning of a recording.
    ///
    /// # Errors
    /// When that fails.
    pub fn begin(mut out: W, header: &Header) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        let text = serde_json::to_vec(header).map_err(io::Error::other)?;
        let bytes = MAGIC.len() as u64 + block::write(&mut out, 0, &text)?;
        Ok(Self {
            out,
            open: Vec::with_capacity(2 * BLOCK),
            blocks: 1,
            bytes,
            changes: 0,
            failed: None,
        })
    }

    /// Appends a record.
    pub fn put(&mut self, record: &Record) {
        if self.failed.is_some() {
            return;
        }
        self.changes += u64::from(matches!(record, Record::Change(_)));
        match postcard::to_extend(record, std::mem::take(&mut self.open)) {
            Ok(open) => self.open = open,
            Err(error) => self.failed = Some(io::Error::other(error)),
        }
        if self.open.len() >= BLOCK {
            self.flush();
        }
    }

    /// Writes what was put so far as a block.
    pub fn flush(&mut self) {
        if self.failed.is_some() || self.open.is_empty() {
            return;
        }
        match block::write(&mut self.out, self.blocks, &self.open) {
            Ok(bytes) => {
                self.bytes += bytes;
                self.blocks += 1;
            }
            Err(error) => self.failed = Some(error),
        }
        self.open.clear();
    }

    /// What went wrong, once.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failed.as_ref()?;
        // The mark stays, so that nothing is written behind a broken block.
        self.failed.replace(io::Error::other("it failed before"))
    }

    /// Changes put so far.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where it writes to.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }
}

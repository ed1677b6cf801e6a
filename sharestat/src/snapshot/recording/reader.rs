//! Reads records back, block by block, up to the last whole one.

use std::{
    fmt,
    fs::File,
    io::{BufReader, Cursor, Read, Seek, SeekFrom},
    path::Path,
};

use super::{
    block::{self, Next},
    error::RecordingError,
    header::{FAMILY, Header, MAGIC, SCHEMA},
    record::{End, Mark, Record},
};

trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// How a recording stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was ended properly.
    Whole(End),
    /// It was cut, by a crash, a signal or a full disk; says after what.
    Cut(String),
}

/// The reading end of a recording.
pub struct Reader {
    name: String,
    from: Box<dyn Source>,
    header: Header,
    /// Number of the block to be read next.
    number: u32,
    /// The block being read, and how far.
    block: Vec<u8>,
    at: usize,
    ending: Option<Ending>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reader")
            .field("name", &self.name)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read or is no recording.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::new(name, Box::new(BufReader::new(file))),
            Err(source) => Err(RecordingError::Read { name, source }),
        }
    }

    /// Reads a recording that is in memory.
    ///
    /// # Errors
    /// When it is none.
    pub fn of_bytes(name: &str, bytes: &'static [u8]) -> Result<Self, RecordingError> {
        Self::new(name.to_owned(), Box::new(Cursor::new(bytes)))
    }

    /// Takes a recording that is in memory.
    ///
    /// # Errors
    /// When it is none.
    pub fn in_memory(name: &str, bytes: Vec<u8>) -> Result<Self, RecordingError> {
        Self::new(name.to_owned(), Box::new(Cursor::new(bytes)))
    }

    fn new(name: String, mut from: Box<dyn Source>) -> Result<Self, RecordingError> {
        let header = header(&name, &mut from)?;
        Ok(Self {
            name,
            from,
            header,
            number: 1,
            block: Vec::new(),
            at: 0,
            ending: None,
        })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How it stops, once [`record`](Self::record) has given the last one.
    #[must_use]
    pub const fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Back to the first record.
    ///
    /// # Errors
    /// When the file cannot be read again.
    pub fn rewind(&mut self) -> Result<(), RecordingError> {
        self.from
            .seek(SeekFrom::Start(0))
            .map_err(|source| self.unreadable(source))?;
        self.header = header(&self.name, &mut self.from)?;
        (self.number, self.at, self.ending) = (1, 0, None);
        self.block.clear();
        Ok(())
    }

    /// The next record; `None` after the last.
    ///
    /// # Errors
    /// When the file cannot be read, or a whole block holds no records.
    pub fn record(&mut self) -> Result<Option<Record>, RecordingError> {
        while self.at == self.block.len() {
            if self.ending.is_some() || !self.next_block()? {
                return Ok(None);
            }
        }
        let rest = &self.block[self.at..];
        let (record, left) = postcard::take_from_bytes(rest)
            .map_err(|error| self.contradiction(&error.to_string()))?;
        self.at = self.block.len() - left.len();
        if let Record::Mark(Mark::End(end)) = record {
            self.ending = Some(Ending::Whole(end));
        }
        Ok(Some(record))
    }

    fn next_block(&mut self) -> Result<bool, RecordingError> {
        let next = block::read(&mut self.from, self.number);
        let cut = match next.map_err(|source| self.unreadable(source))? {
            Next::Block(block) => {
                (self.block, self.at) = (block, 0);
                self.number = self.number.wrapping_add(1);
                return Ok(true);
            }
            Next::End => "nothing".to_owned(),
            Next::Broken(what) => what,
        };
        self.ending = Some(Ending::Cut(format!(
            "cut after {} complete blocks, where {cut} follows",
            self.number
        )));
        Ok(false)
    }

    pub(super) fn contradiction(&self, reason: &str) -> RecordingError {
        RecordingError::Contradiction {
            name: self.name.clone(),
            block: u64::from(self.number.saturating_sub(1)),
            reason: reason.to_owned(),
        }
    }

    fn unreadable(&self, source: std::io::Error) -> RecordingError {
        RecordingError::Read {
            name: self.name.clone(),
            source,
        }
    }
}

fn header(name: &str, from: &mut impl Read) -> Result<Header, RecordingError> {
    let unreadable = |source| RecordingError::Read {
        name: name.to_owned(),
        source,
    };
    let foreign = |reason: String| RecordingError::Foreign {
        name: name.to_owned(),
        reason,
    };
    let mut magic = Vec::new();
    let wanted = MAGIC.len() as u64;
    from.take(wanted)
        .read_to_end(&mut magic)
        .map_err(unreadable)?;
    let newer = |found: &str| RecordingError::Newer {
        name: name.to_owned(),
        found: found.to_owned(),
    };
    if magic.starts_with(FAMILY)
        && magic
            .last()
            .is_some_and(|last| (b'2'..=b'9').contains(last))
    {
        return Err(newer(&String::from_utf8_lossy(&magic)));
    }
    if magic != MAGIC {
        return Err(foreign("it does not begin with 'SHSTREC1'".to_owned()));
    }
    let text = match block::read(from, 0).map_err(unreadable)? {
        Next::Block(text) => text,
        Next::End => return Err(foreign("it ends before its header".to_owned())),
        Next::Broken(what) => return Err(foreign(format!("its header is {what}"))),
    };
    let header: Header = serde_json::from_slice(&text)
        .map_err(|error| foreign(format!("its header cannot be read: {error}")))?;
    let version = header.schema.strip_prefix("sharestat.recording/v");
    let version = version.and_then(|version| version.parse::<u64>().ok());
    if version.is_some_and(|version| version > 1) {
        return Err(newer(&header.schema));
    }
    if header.schema != SCHEMA {
        return Err(foreign(format!(
            "its format is '{}', and this version reads '{SCHEMA}'",
            header.schema
        )));
    }
    Ok(header)
}

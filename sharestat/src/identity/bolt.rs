//! Reads a bbolt database (containerd's `meta.db` and `metadata.db`) without a lock and
//! without writing: bytes in, buckets and values out. Every offset is checked, so that
//! damaged files end in an error. Format: bbolt 1.3, page.go, db.go, bucket.go.

use std::{
    cell::Cell,
    fs::File,
    io::{self, Read, Seek},
    path::Path,
};

use super::regular;

const MAGIC: u32 = 0xed0c_daed;
const VERSION: u32 = 2;
const PAGE_HEADER: usize = 16;
const ELEMENT: usize = 16;
const BUCKET_HEADER: usize = 16;
const META: usize = 64;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const BUCKET_ELEMENT: u32 = 0x01;
/// bbolt tries these when the first meta page is damaged (`getPageSize`, db.go).
const PAGE_SIZES: std::ops::RangeInclusive<u32> = 10..=24;
/// The meta pages lie in the first two pages of any size.
const META_AREA: u64 = 2 << 24;
/// A tree deeper than this has a cycle: each level has at least two children.
const MAX_DEPTH: usize = 64;
/// A database larger than this is not read into memory.
const MAX_FILE: u64 = 1 << 30;
/// Keys that are looked at in one database, again and again included. In a damaged one,
/// every bucket may lead to all others.
const MOST_KEYS: u64 = 1 << 24;
/// Readings of a database that is written to meanwhile.
const ATTEMPTS: usize = 5;

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BoltError {
    /// The file could not be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// Larger than this reader takes.
    #[error("it has {0} bytes, more than a metadata database should have")]
    TooLarge(u64),
    /// Neither meta page is valid.
    #[error("it has no valid meta page, so it is no bbolt database")]
    NoMeta,
    /// Written to during each attempt to read it.
    #[error("it was written to {ATTEMPTS} times while being read")]
    Busy,
    /// An offset or a flag that no writer would produce.
    #[error("page {page} is damaged: {reason}")]
    Page {
        /// Number of the page.
        page: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

/// A database in memory.
#[derive(Clone, Debug)]
pub struct Bolt {
    bytes: Vec<u8>,
    page_size: usize,
    root: u64,
    /// Keys that may still be looked at.
    left: Cell<u64>,
}

/// One valid meta page.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Meta {
    page_size: usize,
    root: u64,
    transaction: u64,
}

/// What a key leads to.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// A value.
    Value(&'a [u8]),
    /// A nested bucket.
    Bucket(Bucket<'a>),
}

/// A sorted set of keys.
#[derive(Clone, Copy, Debug)]
pub struct Bucket<'a> {
    bolt: &'a Bolt,
    place: Place<'a>,
}

/// Where a bucket's pages are.
#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    Page(u64),
    /// A small bucket is a single leaf page inside the value of its parent.
    Inline(&'a [u8]),
}

impl Bolt {
    /// Reads a database that may be in use. Its owner holds the lock as long as it runs,
    /// so none is taken: pages of a transaction are never overwritten while its meta page
    /// is the newest, so a reading with the same newest transaction before and after it
    /// is consistent.
    ///
    /// # Errors
    /// See [`BoltError`].
    pub fn read(path: &Path) -> Result<Self, BoltError> {
        let mut file = regular::open(path)?;
        for _ in 0..ATTEMPTS {
            let size = file.metadata()?.len();
            if size > MAX_FILE {
                return Err(BoltError::TooLarge(size));
            }
            let bytes = read_start(&mut file, MAX_FILE)?;
            let before = newest(&bytes);
            let metas = before.map_or(META_AREA, |meta| 2 * meta.page_size as u64);
            let after = newest(&read_start(&mut file, metas)?);
            if before == after {
                return Self::parse(bytes);
            }
        }
        Err(BoltError::Busy)
    }

    /// A database from the bytes of its file.
    ///
    /// # Errors
    /// When there is no valid meta page.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BoltError> {
        let meta = newest(&bytes).ok_or(BoltError::NoMeta)?;
        Ok(Self {
            bytes,
            page_size: meta.page_size,
            root: meta.root,
            left: Cell::new(MOST_KEYS),
        })
    }

    /// The bucket of buckets.
    #[must_use]
    pub const fn root(&self) -> Bucket<'_> {
        Bucket {
            bolt: self,
            place: Place::Page(self.root),
        }
    }

    /// The bytes of a page with its overflow pages.
    fn page(&self, number: u64) -> Result<&[u8], BoltError> {
        let outside = BoltError::Page {
            page: number,
            reason: "it lies outside the file",
        };
        let start = usize::try_from(number)
            .ok()
            .and_then(|number| number.checked_mul(self.page_size));
        let Some(rest) = start.and_then(|start| self.bytes.get(start..)) else {
            return Err(outside);
        };
        let Some(overflow) = u32_at(rest, 12) else {
            return Err(outside);
        };
        let length = (overflow as usize)
            .checked_add(1)
            .and_then(|pages| pages.checked_mul(self.page_size));
        length
            .and_then(|length| rest.get(..length))
            .ok_or(BoltError::Page {
                page: number,
                reason: "its overflow pages lie outside the file",
            })
    }
}

impl<'a> Bucket<'a> {
    /// All keys in order with what they lead to.
    ///
    /// # Errors
    /// When a page of the bucket is damaged.
    pub fn entries(&self) -> Result<Vec<(&'a [u8], Entry<'a>)>, BoltError> {
        let mut entries = Vec::new();
        // No tree has more pages than the file: more visits mean a page is used twice.
        let mut budget = self.bolt.bytes.len() / self.bolt.page_size + 1;
        match self.place {
            Place::Page(number) => {
                let page = self.bolt.page(number)?;
                self.collect(number, page, 0, &mut budget, &mut entries)?;
            }
            Place::Inline(page) => self.collect(0, page, 0, &mut budget, &mut entries)?,
        }
        Ok(entries)
    }

    /// What a key leads to, in a bucket with few keys.
    ///
    /// # Errors
    /// When a page of the bucket is damaged.
    pub fn get(&self, key: &[u8]) -> Result<Option<Entry<'a>>, BoltError> {
        let found = self.entries()?.into_iter().find(|(name, _)| *name == key);
        Ok(found.map(|(_, entry)| entry))
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When a page of the bucket is damaged.
    pub fn value(&self, key: &str) -> Result<Option<&'a [u8]>, BoltError> {
        Ok(match self.get(key.as_bytes())? {
            Some(Entry::Value(value)) => Some(value),
            Some(Entry::Bucket(_)) | None => None,
        })
    }

    /// The bucket at the end of a path of buckets.
    ///
    /// # Errors
    /// When a page on the way is damaged.
    pub fn descend(self, path: &[&[u8]]) -> Result<Option<Self>, BoltError> {
        let mut bucket = self;
        for name in path {
            match bucket.get(name)? {
                Some(Entry::Bucket(inner)) => bucket = inner,
                Some(Entry::Value(_)) | None => return Ok(None),
            }
        }
        Ok(Some(bucket))
    }

    /// The nested buckets.
    ///
    /// # Errors
    /// When a page of the bucket is damaged.
    pub fn buckets(&self) -> Result<Vec<(&'a [u8], Self)>, BoltError> {
        let inner = |(key, entry)| match entry {
            Entry::Bucket(bucket) => Some((key, bucket)),
            Entry::Value(_) => None,
        };
        Ok(self.entries()?.into_iter().filter_map(inner).collect())
    }

    fn collect(
        &self,
        number: u64,
        page: &'a [u8],
        depth: usize,
        budget: &mut usize,
        entries: &mut Vec<(&'a [u8], Entry<'a>)>,
    ) -> Result<(), BoltError> {
        let damaged = |reason| BoltError::Page {
            page: number,
            reason,
        };
        if depth > MAX_DEPTH || *budget == 0 {
            return Err(damaged("it contains itself"));
        }
        *budget -= 1;
        let flags = u16_at(page, 8).ok_or_else(|| damaged("it has no header"))?;
        let count = usize::from(u16_at(page, 10).ok_or_else(|| damaged("it has no header"))?);
        let left = self.bolt.left.get().checked_sub(count as u64);
        let left = left.ok_or_else(|| damaged("it is used too often"))?;
        self.bolt.left.set(left);
        for index in 0..count {
            let at = PAGE_HEADER + index * ELEMENT;
            let outside = || damaged("a key or value lies outside it");
            let element = page.get(at..at + ELEMENT).ok_or_else(outside)?;
            match flags & (BRANCH | LEAF) {
                BRANCH => {
                    let child = u64_at(element, 8).ok_or_else(outside)?;
                    let below = self.bolt.page(child)?;
                    self.collect(child, below, depth + 1, budget, entries)?;
                }
                LEAF => {
                    let field = |offset| u32_at(element, offset).ok_or_else(outside);
                    // Positions count from the element itself.
                    let key_at = at.checked_add(field(4)? as usize).ok_or_else(outside)?;
                    let value_at = key_at.checked_add(field(8)? as usize).ok_or_else(outside)?;
                    let end = value_at
                        .checked_add(field(12)? as usize)
                        .ok_or_else(outside)?;
                    let key = page.get(key_at..value_at).ok_or_else(outside)?;
                    let value = page.get(value_at..end).ok_or_else(outside)?;
                    let entry = if field(0)? & BUCKET_ELEMENT == 0 {
                        Entry::Value(value)
                    } else {
                        Entry::Bucket(self.nested(value).ok_or_else(outside)?)
                    };
                    entries.push((key, entry));
                }
                _ => return Err(damaged("it is neither a branch nor a leaf")),
            }
        }
        Ok(())
    }

    /// The bucket whose header is a value.
    fn nested(&self, value: &'a [u8]) -> Option<Self> {
        let place = match u64_at(value, 0)? {
            0 => Place::Inline(value.get(BUCKET_HEADER..)?),
            root => Place::Page(root),
        };
        Some(Self {
            bolt: self.bolt,
            place,
        })
    }
}

fn read_start(file: &mut File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.by_ref().take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The valid meta page with the highest transaction.
fn newest(bytes: &[u8]) -> Option<Meta> {
    let first = meta_at(bytes, 0);
    let second = match first {
        Some(meta) => meta_at(bytes, meta.page_size),
        None => { PAGE_SIZES }.find_map(|shift| meta_at(bytes, 1 << shift)),
    };
    first
        .into_iter()
        .chain(second)
        .max_by_key(|meta| meta.transaction)
}

fn meta_at(bytes: &[u8], page: usize) -> Option<Meta> {
    let meta = bytes.get(page..)?.get(PAGE_HEADER..PAGE_HEADER + META)?;
    let valid = u32_at(meta, 0)? == MAGIC
        && u32_at(meta, 4)? == VERSION
        && u64_at(meta, 56)? == fnv1a(meta.get(..56)?);
    let page_size = u32_at(meta, 8)?;
    (valid && page_size.is_power_of_two() && PAGE_SIZES.contains(&page_size.ilog2())).then_some(
        Meta {
            page_size: page_size as usize,
            root: u64_at(meta, 16)?,
            transaction: u64_at(meta, 48)?,
        },
    )
}

/// The checksum of a meta page (`meta.sum64`).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk::<2>()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?))
}

#[cfg(test)]
#[path = "bolt_tests.rs"]
pub(crate) mod tests;

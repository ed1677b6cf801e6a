//! How much an image may ask of the machine that reads it.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::model::units::Bytes;

/// A layer that unpacks to more than this many times its own size, and to more than
/// [`Limits::small_bytes`], is a bomb. Layers of real images unpack to 2 to 10 times their
/// size.
const MOST_RATIO: u64 = 200;

/// Limits for one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that one layer or directory may hold.
    pub layer_bytes: u64,
    /// A layer that unpacks to no more than this may be packed as well as it can be.
    pub small_bytes: u64,
    /// Files, directories and links of all images together.
    pub entries: u64,
    /// Bytes of their names: all of them are in memory, some several times.
    pub name_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            layer_bytes: 64 << 30,
            small_bytes: 1 << 30,
            entries: 2_000_000,
            name_bytes: 256 << 20,
        }
    }
}

/// What is left of the limits for the layers of a run, which are read side by side.
#[derive(Debug)]
pub(super) struct Room {
    limits: Limits,
    entries: AtomicU64,
    name_bytes: AtomicU64,
}

impl Room {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: AtomicU64::new(0),
            name_bytes: AtomicU64::new(0),
        }
    }

    /// Takes room for an entry.
    ///
    /// # Errors
    /// When there is none left: why, in words.
    pub(super) fn take_entry(&self) -> Result<(), String> {
        let most = self.limits.entries;
        if self.entries.fetch_add(1, Ordering::Relaxed) < most {
            return Ok(());
        }
        Err(format!(
            "with it the images have more than {most} entries; give fewer images at once"
        ))
    }

    /// Takes room for names.
    ///
    /// # Errors
    /// When there is none left: why, in words.
    pub(super) fn take_names(&self, bytes: usize) -> Result<(), String> {
        let most = self.limits.name_bytes;
        let bytes = bytes as u64;
        if self.name_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= most {
            return Ok(());
        }
        Err(format!(
            "with it the names of the files are longer than {} together; give fewer images at once",
            Bytes(most)
        ))
    }
}

/// Bytes of a JSON document inside an image.
pub(super) const MOST_JSON: u64 = 8 << 20;

/// Layers of one image; overlayfs takes 500.
pub(super) const MOST_LAYERS: usize = 500;

/// Images of one archive or layout.
pub(super) const MOST_IMAGES: usize = 1000;

/// Counts what passes through.
pub(super) struct Counted<R> {
    inner: R,
    passed: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    pub(super) fn new(inner: R) -> (Self, Arc<AtomicU64>) {
        let passed = Arc::new(AtomicU64::new(0));
        let counted = Self {
            inner,
            passed: Arc::clone(&passed),
        };
        (counted, passed)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.passed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Ends in an error when more comes out than may, or much more than went in.
pub(super) struct Bounded<R> {
    inner: R,
    came: u64,
    limits: Limits,
    packed: Option<Arc<AtomicU64>>,
}

impl<R> Bounded<R> {
    pub(super) const fn new(inner: R, limits: Limits, packed: Option<Arc<AtomicU64>>) -> Self {
        Self {
            inner,
            came: 0,
            limits,
            packed,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.came = self.came.saturating_add(read as u64);
        if self.came > self.limits.layer_bytes {
            return Err(io::Error::other(format!(
                "it holds more than {}; '--max-layer' raises the limit",
                Bytes(self.limits.layer_bytes)
            )));
        }
        if let Some(packed) = &self.packed {
            let packed = packed.load(Ordering::Relaxed);
            if self.came > self.limits.small_bytes && self.came / MOST_RATIO > packed {
                return Err(io::Error::other(format!(
                    "it unpacks to more than {MOST_RATIO} times its size, as a decompression bomb does"
                )));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(mut from: impl Read) -> io::Result<u64> {
        let mut buffer = vec![0; 64 << 20];
        let mut all = 0;
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(all),
                read => all += read as u64,
            }
        }
    }

    #[test]
    fn a_stream_that_unpacks_far_beyond_its_size_is_a_bomb() {
        let packed = |bytes| Some(Arc::new(AtomicU64::new(bytes)));
        let endless = || io::repeat(0);
        let most = |layer_bytes| Limits {
            layer_bytes,
            ..Limits::default()
        };
        let bomb = Bounded::new(endless(), Limits::default(), packed(1 << 20));
        let why = read_all(bomb)
            .expect_err("1 MiB gives more than 1 GiB")
            .to_string();
        assert!(why.contains("decompression bomb"), "{why}");
        let large = Bounded::new(endless(), most(3 << 30), packed(100 << 20));
        let why = read_all(large).expect_err("3 GiB is the limit").to_string();
        assert!(why.contains("more than 3.0 GiB"), "{why}");
        let good = Bounded::new(endless().take(5 << 20), most(6 << 20), packed(1));
        assert_eq!(
            read_all(good).expect("small things may shrink well"),
            5 << 20
        );
    }
}

//! A file as pages: the same hash of the same 4096 bytes as in the page cache, where the
//! bytes beyond the end of the file are zero.

use std::io::{self, ErrorKind, Read};

use sharestat_ebpf::{PAGE_SIZE, xxh64::xxh64_page_bytes};

use crate::{model::units::ContentHash, seed::Seed};

/// The contents of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// Bytes.
    pub(super) size: u64,
    /// The hash of each page.
    pub(super) pages: Box<[ContentHash]>,
}

/// Pages that room is made for at once: a size may lie.
const MOST_ROOM: usize = 1 << 16;

/// Reads to the end and hashes every page. `size` is what is expected to come.
///
/// # Errors
/// What reading says.
pub(super) fn content(mut from: impl Read, size: u64, seed: Seed) -> io::Result<Content> {
    // A whole number of pages, few enough to stay in the nearest cache.
    let mut buffer = vec![[0_u8; PAGE_SIZE]; 8];
    let room = usize::try_from(size.div_ceil(PAGE_SIZE as u64)).unwrap_or(MOST_ROOM);
    let mut pages = Vec::with_capacity(room.min(MOST_ROOM));
    let mut size = 0;
    loop {
        let filled = fill(&mut from, buffer.as_flattened_mut())?;
        if filled == 0 {
            break;
        }
        size += filled as u64;
        buffer.as_flattened_mut()[filled..].fill(0);
        for page in &buffer[..filled.div_ceil(PAGE_SIZE)] {
            pages.push(ContentHash(xxh64_page_bytes(page, seed.value())));
        }
        if filled < buffer.as_flattened().len() {
            break;
        }
    }
    Ok(Content {
        size,
        pages: pages.into_boxed_slice(),
    })
}

/// Reads until the buffer is full or there is no more.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pages_are_hashed_as_by_the_reference_crate(
            bytes in proptest::collection::vec(any::<u8>(), 0..5 * PAGE_SIZE),
            times in 1_usize..4,
            seed: u64,
        ) {
            let bytes = bytes.repeat(times);
            let found = content(bytes.as_slice(), 5000, Seed::fixed(seed)).expect("memory reads");
            let expected: Vec<ContentHash> = bytes.chunks(PAGE_SIZE).map(|page| {
                let mut whole = page.to_vec();
                whole.resize(PAGE_SIZE, 0);
                ContentHash(xxhash_rust::xxh64::xxh64(&whole, seed))
            }).collect();
            prop_assert_eq!(found.size, bytes.len() as u64);
            prop_assert_eq!(found.pages.to_vec(), expected);
        }
    }
}

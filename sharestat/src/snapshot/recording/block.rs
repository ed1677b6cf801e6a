//! One block: a small header with checksum, then LZ4. A block is whole or it is not
//! there; that is all the crash safety a recording needs.

use std::io::{self, ErrorKind, Read, Write};

use xxhash_rust::xxh64::xxh64;

/// First bytes of a block.
const MAGIC: [u8; 4] = *b"SSB1";
/// Magic, number, raw length, stored length, checksum.
const HEADER: usize = 4 + 4 + 4 + 4 + 8;
/// Longest block that is read: far above what is ever written, so that a broken length
/// does not ask for gigabytes.
const MOST: u32 = 16 << 20;

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Next {
    /// A whole block, unpacked.
    Block(Vec<u8>),
    /// Nothing: the file ends after the block before.
    End,
    /// Something that is no whole block, and why.
    Broken(String),
}

/// Writes block `number`; how many bytes that took.
pub(super) fn write(out: &mut impl Write, number: u32, raw: &[u8]) -> io::Result<u64> {
    let stored = lz4_flex::block::compress(raw);
    let mut block = Vec::with_capacity(HEADER + stored.len());
    block.extend_from_slice(&MAGIC);
    block.extend_from_slice(&number.to_le_bytes());
    for length in [raw.len(), stored.len()] {
        let length = u32::try_from(length).map_err(io::Error::other)?;
        block.extend_from_slice(&length.to_le_bytes());
    }
    let sum = checksum(&block, &stored);
    block.extend_from_slice(&sum.to_le_bytes());
    block.extend_from_slice(&stored);
    out.write_all(&block)?;
    Ok(block.len() as u64)
}

/// Over the fields of the header and the stored bytes; the number is one of them, so that
/// a block from elsewhere is not taken for the next one.
fn checksum(fields: &[u8], stored: &[u8]) -> u64 {
    xxh64(stored, xxh64(fields, 0))
}

/// Reads block `number`.
pub(super) fn read(from: &mut impl Read, number: u32) -> io::Result<Next> {
    let mut header = [0; HEADER];
    match fill(from, &mut header)? {
        0 => return Ok(Next::End),
        HEADER => {}
        got => return Ok(Next::Broken(format!("{got} bytes of a block's header"))),
    }
    let (fields, sum) = header.split_at(HEADER - 8);
    let word = |at: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&fields[at..at + 4]);
        u32::from_le_bytes(word)
    };
    let (found, raw, stored) = (word(4), word(8), word(12));
    if fields[..4] != MAGIC || found != number || raw > MOST || stored > MOST {
        return Ok(Next::Broken(
            "something that is not the next block".to_owned(),
        ));
    }
    let mut bytes = vec![0; stored as usize];
    let got = fill(from, &mut bytes)?;
    if got < bytes.len() {
        return Ok(Next::Broken(format!("{got} of {stored} bytes of a block")));
    }
    if checksum(fields, &bytes).to_le_bytes() != sum {
        return Ok(Next::Broken("a block with a wrong checksum".to_owned()));
    }
    Ok(match lz4_flex::block::decompress(&bytes, raw as usize) {
        Ok(block) => Next::Block(block),
        Err(error) => Next::Broken(format!("a block that cannot be unpacked ({error})")),
    })
}

/// Reads until the buffer is full or the file ends.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match from.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(bytes) => got += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cut_or_changed_block_is_never_taken_for_a_whole_one(
            raw in proptest::collection::vec(any::<u8>(), 0..300),
            at in any::<prop::sample::Index>(),
            change in 1_u8..,
        ) {
            let mut file = Vec::new();
            write(&mut file, 7, &raw).expect("memory");
            match read(&mut &file[..], 7).expect("memory") {
                Next::Block(block) => prop_assert_eq!(block, raw),
                other => prop_assert!(false, "{:?}", other),
            }
            prop_assert!(matches!(read(&mut &file[..], 8).expect("memory"), Next::Broken(_)));
            let cut = at.index(file.len());
            let read_cut = read(&mut &file[..cut], 7).expect("memory");
            prop_assert!(matches!(read_cut, Next::Broken(_)) || cut == 0);
            file[cut] ^= change;
            prop_assert!(matches!(read(&mut &file[..], 7).expect("memory"), Next::Broken(_)));
        }
    }
}

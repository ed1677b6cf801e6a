//! Blocks of frames that are memory through and through, without holes.

use std::fs;

use super::Result;

/// Frames of a block: one run of the program.
const BLOCK: u64 = 16_384;

/// Aligned blocks inside the ranges that `/proc/iomem` calls "System RAM".
pub(crate) fn blocks() -> Result<Vec<(u64, u64)>> {
    let text = fs::read_to_string("/proc/iomem")?;
    let ranges = text.lines().filter_map(|line| {
        let (range, name) = line.split_once(" : ")?;
        let (first, last) = range.split_once('-')?;
        let first = u64::from_str_radix(first, 16).ok()?;
        let last = u64::from_str_radix(last, 16).ok()?;
        (name == "System RAM").then_some((first >> 12, (last + 1) >> 12))
    });
    Ok(ranges
        .flat_map(|(first, end)| {
            let first = first.next_multiple_of(BLOCK);
            (first..end)
                .step_by(16_384)
                .map(|block| (block, block + BLOCK))
                .filter(move |(_, last)| *last <= end)
        })
        .collect())
}

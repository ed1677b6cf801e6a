//! What the BPF programs and user space share: the records that travel between
//! them, the kernel layout that user space hands down, counters, and the hash.
//!
//! `no_std` and free of dependencies, so that it builds for the host and for BPF.
#![no_std]

pub mod counters;
pub mod layout;
pub mod records;
pub mod xxh64;

/// Bytes of one page, the unit of content.
pub const PAGE_SIZE: usize = 4096;

/// Machine words of one page.
pub const PAGE_WORDS: usize = PAGE_SIZE / 8;

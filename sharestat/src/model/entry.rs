//! What the index keeps of one resident page, in 13 bytes: hash, time of arrival, state,
//! and the flags of the rules about events that crossed each other.

use super::{
    page::{PageState, SkipReason},
    units::ContentHash,
};

/// Flag: contested, and no barrier has passed since.
pub(super) const FRESH: u8 = 0x10;
/// Flag: contested, and one barrier has passed since.
pub(super) const AGED: u8 = 0x20;
/// Flag: seen by the running census, or touched by an event since it began.
pub(super) const CONFIRMED: u8 = 0x40;
/// Flag: entered by an event, and neither dirtied nor known since. Its content will be what
/// was read from storage.
pub(super) const READ: u8 = 0x80;

const STATE_MASK: u8 = 0x0f;
const PENDING: u8 = 0;
const IN_FLIGHT: u8 = 1;
const HASHED: u8 = 2;
const FIRST_SKIPPED: u8 = 3;

/// One resident page: hash (8 bytes), time of arrival (4), state and flags (1). Bytes
/// rather than fields, because padding would cost three bytes a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry([u8; 13]);

impl Entry {
    /// A pending page that arrived at `added_ms`.
    pub(super) fn new(added_ms: u32, flags: u8) -> Self {
        let mut entry = Self([0; 13]);
        entry.0[12] = PENDING | flags;
        entry.set_added_ms(added_ms);
        entry
    }

    pub(super) fn set_added_ms(&mut self, added_ms: u32) {
        self.0[8..12].copy_from_slice(&added_ms.to_le_bytes());
    }

    fn hash(&self) -> ContentHash {
        let (&hash, _) = self.0.split_first_chunk().unwrap_or((&[0; 8], &[]));
        ContentHash(u64::from_le_bytes(hash))
    }

    pub(super) fn added_ms(&self) -> u32 {
        let [.., a, b, c, d, _] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }

    /// The content, when known: the quick way for passes over everything.
    pub(super) fn content(&self) -> Option<ContentHash> {
        (self.0[12] & STATE_MASK == HASHED).then(|| self.hash())
    }

    pub(super) fn state(&self) -> PageState {
        match self.0[12] & STATE_MASK {
            PENDING => PageState::Pending,
            IN_FLIGHT => PageState::InFlight,
            HASHED => PageState::Hashed(self.hash()),
            code => PageState::Skipped(SkipReason::ALL[usize::from(code - FIRST_SKIPPED)]),
        }
    }

    pub(super) fn set_state(&mut self, state: PageState) {
        let code = match state {
            PageState::Pending => PENDING,
            PageState::InFlight => IN_FLIGHT,
            PageState::Hashed(content) => {
                self.0[..8].copy_from_slice(&content.0.to_le_bytes());
                HASHED
            }
            PageState::Skipped(reason) => FIRST_SKIPPED + reason as u8,
        };
        self.0[12] = (self.0[12] & !STATE_MASK) | code;
    }

    pub(super) fn has(&self, flags: u8) -> bool {
        self.0[12] & flags != 0
    }

    pub(super) fn set(&mut self, flags: u8) {
        self.0[12] |= flags;
    }

    pub(super) fn clear(&mut self, flags: u8) {
        self.0[12] &= !flags;
    }
}

//! What is wrong with a query, and where.

use std::ops::Range;

/// A mistake in a query, with the part of the text that it is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at column {})", self.column())]
pub struct QueryError {
    /// Bytes of the query that the message is about; empty at the end of the text.
    pub place: Range<usize>,
    /// What is wrong and what to write instead.
    pub message: String,
    /// Characters before the place.
    before: usize,
}

impl QueryError {
    pub(super) fn new(text: &str, place: Range<usize>, message: impl Into<String>) -> Self {
        let before = text
            .get(..place.start)
            .map_or(0, |head| head.chars().count());
        Self {
            place,
            message: message.into(),
            before,
        }
    }

    /// Column of the place, counted in characters from 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.before + 1
    }
}

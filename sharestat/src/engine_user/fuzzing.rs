//! Feeds the parser of this folder: see [`crate::fuzzing`].

use super::writers::mapped_writably;

/// The mappings of a process.
pub(crate) fn maps(input: &[u8]) -> bool {
    mapped_writably(input).count() > 0
}

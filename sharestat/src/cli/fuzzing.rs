//! Feeds the parsers of this folder: see [`crate::fuzzing`].

use std::str;

use super::top::config;

/// The configuration file of the screen.
pub(crate) fn top_config(input: &[u8]) -> bool {
    str::from_utf8(input).is_ok_and(|text| config::parse(text).is_ok())
}

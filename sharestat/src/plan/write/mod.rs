//! A plan in words: one file per format.

pub mod csv;
pub mod html;
pub mod markdown;
#[cfg(test)]
pub(crate) mod sample;
pub mod text;
mod words;

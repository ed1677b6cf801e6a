//! Two reports side by side: what changed ([`diff`]), whether that breaks a rule
//! ([`check`]), and how either is written. Pure: takes reports, returns documents.

pub mod change;
pub mod check;
pub mod contents;
pub mod diff;
mod lists;
pub mod moved;
mod notes;
mod write;

pub use write::{junit, markdown, sarif, text};

#[cfg(test)]
mod sample;
#[cfg(test)]
mod schemas;

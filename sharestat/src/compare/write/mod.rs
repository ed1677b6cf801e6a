//! Writing comparisons: for people, for pull requests, and for what reads test results.

pub mod junit;
pub mod markdown;
pub mod sarif;
pub mod text;
mod words;

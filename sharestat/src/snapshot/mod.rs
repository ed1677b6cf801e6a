//! Measurements in files: recordings, which are journals that can be played, and tables
//! of pages that other programs read.

pub mod file;
pub mod recording;
pub mod table;
mod timeline;

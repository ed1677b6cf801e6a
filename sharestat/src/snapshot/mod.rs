//! Measurements in files: recordings, which are journals that can be played.

pub mod recording;

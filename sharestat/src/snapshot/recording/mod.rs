//! Recordings: everything that happened to the content index, with periodic totals to
//! prove the replay by. Written in checksummed blocks, so that a file cut anywhere opens
//! up to its last complete block. `docs/recording.md` describes the format.

mod block;
pub mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod header;
mod histograms;
pub mod in_layers;
pub mod player;
pub mod reader;
pub mod record;
pub mod recorder;
#[cfg(test)]
mod tests;
pub mod writer;

pub use error::RecordingError;
pub use player::Player;
pub use recorder::Recorder;

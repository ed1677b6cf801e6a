//! Images that lie in files, and a forecast of what a host that runs them together would
//! cache twice. Nothing is unpacked, nothing is run, nothing is written.
//!
//! sources (`source`) → layers (`layer`, `directory`) → what each image shows
//! (`stack`) → a content index (`forecast`).

mod archive;
mod blob;
mod covered;
mod directory;
mod docker;
mod error;
mod forecast;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod layer;
mod limits;
mod manifest;
mod oci;
mod pages;
mod parallel;
mod path;
mod source;
mod stack;
mod touched;

pub use error::Error;
pub use forecast::{ForecastOptions, forecast};
pub use limits::Limits;
pub use touched::Touched;

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

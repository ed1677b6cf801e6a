//! Reports: one [`Report`] made from a measurement, and one file per format it is
//! written in. Reading the host's own particulars is the only I/O here.

pub(crate) mod avoidable;
mod build;
pub mod csv;
pub mod document;
pub mod host;
pub mod html;
pub mod json;
pub mod markdown;
pub mod ndjson;
pub mod openmetrics;
pub mod owners;
pub mod read;
pub mod text;
mod timeline;

pub(crate) use build::{files, sums};
pub use document::Report;
pub use host::Host;
pub use owners::Filter;
pub(crate) use timeline::spread;

#[cfg(test)]
pub(crate) mod sample;

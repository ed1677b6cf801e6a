//! The running kernel: its layout, calibration, hooks, and the programs run on request.

mod batch;
pub mod btf;
pub mod calibration;
pub mod capabilities;
pub mod collector;
pub mod counters;
pub mod error;
mod events;
pub mod instrument;
mod kernel_log;
pub mod layout;
mod names;
pub mod object;
pub mod probes;
mod queue;
pub mod scan;
mod shared_array;

pub use error::{Class, Error};
pub use scan::{ScanOptions, scan};

//! The running kernel: its layout, calibration, hooks, and the programs run on request.

pub mod btf;
pub mod calibration;
pub mod capabilities;
pub mod counters;
pub mod error;
pub mod instrument;
mod kernel_log;
pub mod layout;
pub mod object;
pub mod probes;
mod shared_array;

pub use error::{Class, Error};

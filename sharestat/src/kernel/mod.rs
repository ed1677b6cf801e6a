//! The running kernel: its layout, calibration, hooks, and the programs run on request.

mod batch;
#[doc(hidden)]
pub mod bench_support;
pub mod btf;
mod btf_blob;
mod btf_section;
mod budget;
pub mod calibration;
pub mod capabilities;
mod census;
pub mod collector;
pub mod counters;
pub mod doctor;
pub mod error;
mod events;
pub mod faults;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod instrument;
mod kernel_log;
mod keys;
mod kprobes;
pub mod layout;
pub mod live;
pub mod moment;
pub mod movement;
mod names;
pub mod object;
pub(crate) mod own_cost;
mod perf_event;
pub mod probes;
mod proven;
mod queue;
pub mod scan;
mod shared_array;
pub mod tracer;
pub mod watcher;

pub use error::{Class, Error};
pub use live::{Go, Live, LiveOptions, LiveView, Request};
pub use scan::{ScanOptions, scan};

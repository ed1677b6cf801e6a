//! sharestat measures how much of the page cache holds bytes that are resident
//! elsewhere, whose it is, and what each way of sharing would save.
//!
//! Data flows one way: `kernel` or `engine_user` fill the [`model`], `identity` names
//! inodes, `report` and `tui` show the result, `cli` holds it together.

pub mod cli;
pub mod compare;
pub mod derefs;
pub mod engine_user;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod identity;
pub mod kernel;
pub mod model;
pub mod offline;
pub mod plan;
pub mod progress;
pub mod query;
pub mod report;
pub mod seed;
pub mod serve;
pub mod snapshot;
pub mod tui;

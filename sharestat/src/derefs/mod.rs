//! Which kernel code dereferences `folio->mapping`, the assumption that sharing one
//! page between files would have to drop. `sites` finds such code in a kernel image,
//! `watch` catches it at run time, `table` puts both together.

pub mod code;
pub mod context;
pub mod decode;
pub mod diff;
pub mod document;
pub mod estimate;
pub mod exercise;
pub mod facts;
pub mod faults;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod glisse;
pub mod live;
pub mod random;
#[cfg(test)]
pub(crate) mod sample;
pub mod schema;
pub mod sites;
pub mod static_list;
pub mod summary;
pub mod symbols;
pub mod table;
pub mod trace;
pub mod watch;
pub mod write;

pub use live::{LiveError, Watched};

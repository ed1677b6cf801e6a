//! The content index and what is computed from it. Pure: knows nothing of BPF, files
//! or terminals; takes values and returns values.

pub mod advice;
pub mod arrivals;
pub(crate) mod at_once;
pub mod avoidable;
mod census;
pub mod charges;
pub mod contents;
pub mod copies;
pub mod copy_ups;
pub mod duplicates;
mod entry;
pub mod extents;
pub mod files;
pub mod groups;
pub mod history;
pub mod index;
pub mod inode;
mod inodes;
pub mod journal;
pub mod keyed;
pub mod kin;
pub mod layers;
mod ledger;
pub mod measurement;
pub mod memcgs;
pub mod memory;
mod needs;
mod observe;
pub(crate) mod offsets;
mod owner;
pub mod page;
mod pages;
mod partners;
#[cfg(test)]
pub(crate) mod samples;
pub mod savings;
pub mod scopes;
pub mod shared_files;
pub mod shared_groups;
pub mod totals;
pub mod uncompared;
mod unions;
pub mod units;
pub mod view;
pub mod whole;
mod writers;

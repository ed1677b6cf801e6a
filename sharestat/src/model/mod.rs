//! The content index and what is computed from it. Pure: knows nothing of BPF, files
//! or terminals; takes values and returns values.

mod census;
pub mod contents;
mod entry;
pub mod files;
pub mod groups;
pub mod history;
pub mod index;
pub mod inode;
mod inodes;
pub mod keyed;
pub mod layers;
mod ledger;
pub mod measurement;
mod observe;
pub mod page;
mod pages;
mod partners;
#[cfg(test)]
pub(crate) mod samples;
pub mod savings;
pub mod totals;
pub mod units;
pub mod view;

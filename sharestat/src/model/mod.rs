//! The content index and what is computed from it. Pure: knows nothing of BPF, files
//! or terminals; takes values and returns values.

pub mod inode;
pub mod page;
pub mod units;

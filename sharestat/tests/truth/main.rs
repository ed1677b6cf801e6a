//! Truth tests of the whole binary: what `sharestat` reports against what is known by
//! other means, that is plans of files, `mincore`, page flags and `/proc/meminfo`.
//!
//! They need root and run on this machine and in guests. `SHARESTAT_BIN` names another
//! binary, `SHARESTAT_SCRATCH_DISKS` free block devices, `SHARESTAT_ENGINES` the engines.

mod binary;
mod bpf_objects;
mod calm;
mod claims;
mod corpus;
mod disk;
mod erofs_images;
mod expectation;
mod filesystems;
mod harness;
mod host_memory;
mod live_top;
mod memcg;
#[path = "../mincore/mod.rs"]
mod mincore;
mod mount;
mod page_flags;
mod recording;
mod report;
mod residency;
mod rows;
mod scratch;
mod small_reads;

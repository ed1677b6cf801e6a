//! Names for inodes: which filesystem, which mount point, which path, which overlay
//! layers. Parses what the kernel prints; reads no page cache and no BPF.

pub mod escape;
pub mod mounts;
pub mod overlay;
pub mod scope;

//! Names for inodes: which filesystem, which mount point, which path, which overlay
//! layers. Parses what the kernel prints; reads no page cache and no BPF.

#[cfg(test)]
mod bad_input_tests;
pub mod bolt;
pub mod cgroups;
mod changes;
pub mod escape;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod image_files;
mod join;
pub mod layers;
pub mod locate;
pub mod memcgs;
pub mod memory;
pub mod mounts;
pub mod namespaces;
pub mod overlay;
mod reach;
mod regular;
mod resolver;
pub mod runtimes;
pub mod scope;
pub mod storage;
#[cfg(test)]
mod test_machine;
pub mod warning;

pub use layers::LayerIndex;
pub use resolver::Resolver;

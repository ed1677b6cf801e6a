//! What can go wrong while reading a kernel image, as sentences with a remedy.

use std::{io, path::PathBuf};

/// A kernel image could not be analysed.
#[derive(Debug, thiserror::Error)]
pub enum SitesError {
    /// The file could not be read.
    #[error("cannot read the kernel image '{path}': {source}")]
    Read {
        /// The image.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Neither an ELF file nor a bzImage.
    #[error(
        "'{path}' is neither an ELF vmlinux nor an x86 bzImage: name a '/boot/vmlinuz-VERSION' or \
         a vmlinux of a debug package"
    )]
    NotAKernel {
        /// The image.
        path: PathBuf,
    },
    /// Not an x86-64 image.
    #[error(
        "'{path}' is a kernel image for {machine}: static analysis knows only x86-64, not yet other architectures"
    )]
    Machine {
        /// The image.
        path: PathBuf,
        /// The architecture it names.
        machine: String,
    },
    /// The compressed kernel inside a bzImage cannot be unpacked.
    #[error(
        "cannot unpack the {format} payload of '{path}': {reason}; the image is damaged or truncated"
    )]
    Payload {
        /// The image.
        path: PathBuf,
        /// The compression.
        format: &'static str,
        /// Why it failed.
        reason: String,
    },
    /// The ELF file is damaged.
    #[error("cannot read {what} of '{path}': {reason}; the ELF file is damaged or truncated")]
    Elf {
        /// The image.
        path: PathBuf,
        /// The part that was wanted.
        what: &'static str,
        /// Why it failed.
        reason: String,
    },
    /// An ELF file, but no kernel.
    #[error("'{path}' is an ELF file but no Linux kernel: it has no 'Linux version' banner")]
    Foreign {
        /// The image.
        path: PathBuf,
    },
    /// No type information.
    #[error(
        "'{path}' carries no BTF type information: the kernel must be built with CONFIG_DEBUG_INFO_BTF \
         (stock distribution kernels are), and the '.BTF' section must not be stripped"
    )]
    NoBtf {
        /// The image.
        path: PathBuf,
    },
    /// Type information that cannot be parsed.
    #[error("cannot parse the BTF type information of '{path}': {reason}")]
    Btf {
        /// The image.
        path: PathBuf,
        /// Why it failed.
        reason: String,
    },
    /// Neither a symbol table nor kallsyms.
    #[error(
        "'{path}' has no symbol table, and its embedded kallsyms cannot be read: {reason}; use the \
         image as the distribution ships it, or the vmlinux of its debug package"
    )]
    NoSymbols {
        /// The image.
        path: PathBuf,
        /// What did not fit.
        reason: &'static str,
    },
    /// The types lack what the analysis is about.
    #[error(
        "the BTF of '{path}' has no '{name}': the kernel is older than folios (5.16) or newer than sharestat knows"
    )]
    MissingType {
        /// The image.
        path: PathBuf,
        /// What was looked up.
        name: &'static str,
    },
    /// Debugging information that cannot be read.
    #[error("cannot read the debugging information of '{path}': {reason}")]
    Debug {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        reason: String,
    },
    /// No debugging information.
    #[error(
        "'{path}' has no debugging information ('.debug_info'): name the vmlinux of the kernel's debug package"
    )]
    NoDebug {
        /// The file.
        path: PathBuf,
    },
    /// Debugging information of another kernel.
    #[error(
        "'{path}' is of another build (id {theirs}) than the image (id {ours}): its lines would be wrong"
    )]
    OtherBuild {
        /// The file.
        path: PathBuf,
        /// Its build id.
        theirs: String,
        /// That of the image.
        ours: String,
    },
    /// The result could not be written.
    #[error("cannot write the list of sites: {0}")]
    Write(#[from] io::Error),
    /// The result could not be turned into JSON.
    #[error("cannot write the list of sites as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

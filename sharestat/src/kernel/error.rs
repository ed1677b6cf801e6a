//! What can go wrong between sharestat and the kernel, as sentences with a remedy.

use std::{io, path::PathBuf};

use super::layout::LayoutError;

/// How a failure should be reported to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A privilege is missing: exit code 3.
    Privilege,
    /// The kernel lacks something needed, or the build does: exit code 4.
    Unsupported,
    /// Wrong input, such as a path that is no directory: exit code 2.
    Usage,
}

/// A failure of the BPF engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The build embeds no BPF object.
    #[error(
        "this sharestat was built without its BPF programs, so it cannot look into the kernel; \
         build it with 'cargo xtask build', or use '--engine user'"
    )]
    WithoutBpf,
    /// Capabilities are missing.
    #[error(
        "missing {missing}: reading the page cache through BPF needs CAP_BPF, CAP_PERFMON and \
         CAP_SYS_ADMIN; run with sudo, or 'sudo setcap cap_bpf,cap_perfmon,cap_sys_admin+ep' on the binary"
    )]
    Capabilities {
        /// Names of the missing capabilities.
        missing: String,
    },
    /// The kernel publishes no BTF.
    #[error(
        "cannot read the kernel's type information '{path}': {source}; the kernel must be built \
         with CONFIG_DEBUG_INFO_BTF (stock distribution kernels are), or use '--engine user'"
    )]
    Btf {
        /// File that was tried.
        path: PathBuf,
        /// Why it failed.
        source: super::btf::BtfError,
    },
    /// The kernel's structures are not as sharestat needs them.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The object could not be loaded.
    #[error("the kernel refused the BPF maps or object: {source}{hint}")]
    Object {
        /// aya's error.
        source: Box<aya::EbpfError>,
        /// What to do, where known.
        hint: &'static str,
    },
    /// The verifier, or the kernel's policy, refused a program.
    #[error("the kernel refused the BPF program '{program}': {reason}{log}")]
    Program {
        /// Name of the program.
        program: String,
        /// The error.
        reason: String,
        /// Last lines of the verifier's log, each indented on its own line.
        log: String,
    },
    /// A program or map is not in the object: the object does not match this binary.
    #[error(
        "the embedded BPF object has no '{name}': it is older than this binary; run 'cargo xtask build'"
    )]
    Missing {
        /// Name that was looked up.
        name: &'static str,
    },
    /// A test run failed.
    #[error("running the BPF program '{program}' failed: {source}")]
    TestRun {
        /// Name of the program.
        program: &'static str,
        /// aya's error.
        source: aya::programs::ProgramError,
    },
    /// A map could not be mapped or read.
    #[error("cannot access the BPF map '{map}': {source}")]
    Map {
        /// Name of the map.
        map: &'static str,
        /// The error.
        source: io::Error,
    },
    /// A file under `/proc` or `/sys` could not be read.
    #[error("cannot read '{path}': {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Calibration failed.
    #[error(
        "cannot locate page contents on this kernel: {reason}; no result would be trustworthy, so nothing was measured"
    )]
    Calibration {
        /// What did not fit.
        reason: String,
    },
    /// No hardware breakpoint could be set.
    #[error(
        "cannot set a hardware breakpoint on a kernel word: {source}; it needs CAP_SYS_ADMIN and a \
         processor, or hypervisor, that gives debug registers (see 'sharestat doctor')"
    )]
    BreakpointsRefused {
        /// Why.
        source: io::Error,
    },
    /// The kernel has no kprobes.
    #[error(
        "this kernel has no kprobes (CONFIG_KPROBES), so its instructions cannot be traced; \
         'sharestat derefs watch' needs none"
    )]
    NoKprobes,
    /// A kprobe is refused.
    #[error("cannot set a kprobe: {source}; see the kernel's log")]
    KprobeRefused {
        /// Why.
        source: io::Error,
    },
    /// All debug registers are in use.
    #[error(
        "all debug registers are taken by {holders}; end that first, the registers cannot be shared"
    )]
    BreakpointsTaken {
        /// Who may hold them.
        holders: String,
    },
    /// A path to restrict the measurement to is unusable.
    #[error(transparent)]
    Scope(#[from] crate::identity::scope::ScopeError),
    /// The mounts of this process could not be read.
    #[error("{reason}")]
    Mounts {
        /// What was tried and why it failed.
        reason: String,
    },
    /// The collector's runtime could not be started.
    #[error("cannot start the collector: {source}")]
    Runtime {
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// How scripts should see this failure.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Capabilities { .. } => Class::Privilege,
            Self::Scope(_) => Class::Usage,
            Self::Object { source, .. } if is_refusal(source.as_ref()) => Class::Privilege,
            // Without a word from the verifier it is policy that says no.
            Self::Program { reason, log, .. }
                if log.is_empty() && reason.contains("not permitted") =>
            {
                Class::Privilege
            }
            Self::Read { source, .. }
            | Self::Map { source, .. }
            | Self::BreakpointsRefused { source }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Class::Privilege
            }
            Self::WithoutBpf
            | Self::Btf { .. }
            | Self::Layout(_)
            | Self::Object { .. }
            | Self::Program { .. }
            | Self::Missing { .. }
            | Self::TestRun { .. }
            | Self::Map { .. }
            | Self::Read { .. }
            | Self::Mounts { .. }
            | Self::Runtime { .. }
            | Self::BreakpointsRefused { .. }
            | Self::BreakpointsTaken { .. }
            | Self::NoKprobes
            | Self::KprobeRefused { .. }
            | Self::Calibration { .. } => Class::Unsupported,
        }
    }
}

/// Whether `EPERM` or `EACCES` is at the bottom of `error`.
pub(super) fn is_refusal(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.kind() == io::ErrorKind::PermissionDenied;
        }
        cause = error.source();
    }
    false
}

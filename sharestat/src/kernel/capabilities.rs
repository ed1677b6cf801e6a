//! Which privileges this process has.

use procfs::process::Process;

use super::error::Error;

/// A capability that some part of sharestat needs; numbers from
/// include/uapi/linux/capability.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Walk directories of others (user engine, open by handle).
    DacReadSearch = 2,
    /// Page frame numbers in pagemap, `/proc/kpageflags`.
    SysAdmin = 21,
    /// Kernel memory in BPF programs, hardware breakpoints.
    Perfmon = 38,
    /// Load BPF programs, create maps.
    Bpf = 39,
}

impl Capability {
    /// What the BPF engine cannot do without.
    pub const NEEDED: [Self; 3] = [Self::Bpf, Self::Perfmon, Self::SysAdmin];

    /// Its name in capabilities(7).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }
}

/// The effective set of this process; all when `/proc` does not tell, so that the
/// kernel decides.
#[must_use]
pub fn effective() -> u64 {
    Process::myself()
        .and_then(|process| process.status())
        .map_or(u64::MAX, |status| status.capeff)
}

/// Which of the needed capabilities `effective` lacks.
#[must_use]
pub fn missing(effective: u64) -> Vec<Capability> {
    Capability::NEEDED
        .into_iter()
        .filter(|capability| effective & (1 << *capability as u64) == 0)
        .collect()
}

/// Refuses early, by name, what the kernel would refuse late, by number.
///
/// # Errors
/// When a needed capability is missing.
pub fn require() -> Result<(), Error> {
    let missing = missing(effective());
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|capability| capability.name()).collect();
    Err(Error::Capabilities {
        missing: names.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_capability_is_named() {
        assert_eq!(missing(u64::MAX), []);
        assert_eq!(
            missing(1 << 39),
            [Capability::Perfmon, Capability::SysAdmin]
        );
        assert_eq!(missing(0), Capability::NEEDED);
    }
}

//! What fuzzing feeds: one function for each parser of bytes from outside, with the time
//! and the memory that one input may take. The functions are beside their parsers; two
//! programs use them: the tests (corpus and seeded mutations, in seconds) and
//! `cargo xtask fuzz` (libFuzzer, led by coverage, as long as it is told).

mod documents;
pub mod memory;
#[cfg(test)]
mod mutate;
pub(crate) mod scratch;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::{cli, derefs, engine_user, identity, kernel, offline, snapshot};

/// CPU time that one input may take, also in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// Memory that one input may take beyond what it was fed with.
const MEMORY: usize = 64 << 20;

/// One parser.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of the folder of its corpus.
    pub name: &'static str,
    /// Reads an input; true when the parser took it for what it reads.
    read: fn(&[u8]) -> bool,
    /// Bytes of memory that one input may take.
    memory: usize,
    /// Inputs that the tests make by mutation.
    mutations: usize,
}

const fn target(name: &'static str, read: fn(&[u8]) -> bool) -> Target {
    Target {
        name,
        read,
        memory: MEMORY,
        mutations: 2000,
    }
}

impl Target {
    /// The same, for a parser that is slow: fewer mutations.
    const fn slow(self) -> Self {
        Self {
            mutations: 300,
            ..self
        }
    }

    /// Feeds one input; true when the parser took it for what it reads. Ends the process
    /// when the input takes more memory than it may.
    ///
    /// # Panics
    /// When the parser does, or takes too long.
    #[must_use]
    pub fn feed(&self, input: &[u8]) -> bool {
        let began = cpu_time();
        let taken = memory::at_most(self.memory, self.name, || (self.read)(input));
        let took = cpu_time().saturating_sub(began);
        assert!(
            took <= PATIENCE,
            "'{}' needs {took:?} of CPU time for {} bytes",
            self.name,
            input.len()
        );
        taken
    }

    /// The target of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.iter().find(|target| target.name == name).copied()
    }
}

/// CPU time of this thread: what a busy machine takes away does not count.
pub(crate) fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}

/// All parsers.
pub const TARGETS: &[Target] = &[
    target("mountinfo", identity::fuzzing::mountinfo),
    target("bolt", identity::fuzzing::bolt),
    target("containerd", identity::fuzzing::containerd).slow(),
    target("containers-storage", identity::fuzzing::containers_storage).slow(),
    target("docker", identity::fuzzing::docker).slow(),
    target("flatpak", identity::fuzzing::flatpak).slow(),
    target("snap", identity::fuzzing::snap),
    target("cgroup", identity::fuzzing::cgroup),
    target("digest", identity::fuzzing::digest),
    target("backing-file", identity::fuzzing::backing_file),
    target("maps", engine_user::fuzzing::maps),
    target("btf", kernel::fuzzing::btf),
    target("ring", kernel::fuzzing::ring),
    target("host", documents::host),
    target("kallsyms", derefs::fuzzing::kallsyms),
    target("kernel-image", derefs::fuzzing::kernel_image).slow(),
    target("kernel-tables", derefs::fuzzing::kernel_tables).slow(),
    target("kernel-types", derefs::fuzzing::kernel_types),
    target("kernel-code", derefs::fuzzing::kernel_code),
    target("derefs-document", derefs::fuzzing::document),
    target("derefs-sites", derefs::fuzzing::sites),
    target("recording", snapshot::recording::fuzzing::recording).slow(),
    target("records", snapshot::recording::fuzzing::records),
    target("measurement-file", documents::measurement_file).slow(),
    target("report", documents::report).slow(),
    target("check-config", documents::check_config),
    target("plan-mix", documents::plan_mix),
    target("top-config", cli::fuzzing::top_config),
    target("query", documents::query),
    target("key", documents::key),
    target("archive", offline::fuzzing::archive).slow(),
    target("layout", offline::fuzzing::layout).slow(),
    target("layer", offline::fuzzing::layer).slow(),
    target("touched", offline::fuzzing::touched),
];

//! The BPF object: embedded bytes, frozen constants, map sizes, programs by name.

use std::path::Path;

use aya::{
    Ebpf, EbpfError, EbpfLoader, VerifierLogLevel,
    programs::{ProgramError, RawTracePoint, RawTracePointRunOptions, TestRun as _},
};
use aya_obj::ParseError;
use sharestat_ebpf::layout::KernelLayout;

use super::error::{Error, is_refusal};

/// The object that `cargo xtask build` made, or nothing.
#[cfg(not(without_bpf))]
const OBJECT: Option<&[u8]> = Some(aya::include_bytes_aligned!(env!("SHARESTAT_BPF_OBJECT")));
#[cfg(without_bpf)]
const OBJECT: Option<&[u8]> = None;

/// Whether this build can look into the kernel at all.
#[must_use]
pub const fn is_embedded() -> bool {
    OBJECT.is_some()
}

/// Constants and sizes of one load.
#[derive(Clone, Debug)]
pub(super) struct Parameters {
    pub(super) layout: KernelLayout,
    pub(super) memory_map_base: u64,
    pub(super) direct_map_base: u64,
    pub(super) seed: u64,
    pub(super) removal_pages_per_second: u64,
    pub(super) ring_bytes: u32,
    /// Size of the ring of watchpoint hits; one page when nothing is watched.
    pub(super) hit_ring_bytes: u32,
    /// Instructions that are traced, at least 1.
    pub(super) traced: u32,
    pub(super) workers: u32,
    /// One past the highest page frame.
    pub(super) frames: u64,
    /// aya-log level of the programs: 0 off, 3 info, 5 trace.
    pub(super) log_level: u8,
}

impl Parameters {
    /// Those of a load that neither hashes nor watches; `traced` instructions.
    pub(super) fn for_probes(layout: &KernelLayout, traced: u32) -> Self {
        Self {
            layout: *layout,
            memory_map_base: 0,
            direct_map_base: 0,
            seed: 0,
            removal_pages_per_second: 0,
            ring_bytes: 4096,
            hit_ring_bytes: 4096,
            traced: traced.max(1),
            workers: 1,
            frames: 0,
            log_level: 0,
        }
    }
}

/// Frames that one value of the frame-state array holds (`frame_state` in the object).
const FRAMES_PER_STATE_BLOCK: u64 = 4096;

/// Pages a verifier log is cut to in messages.
const LOG_LINES: usize = 6;

/// The object's bytes, where the build has any.
fn bytes_of(object: Option<&'static [u8]>) -> Result<&'static [u8], Error> {
    object.ok_or(Error::WithoutBpf)
}

/// What one load overrides in the object, ready to be borrowed by a [`Loader`].
pub(super) struct Constants {
    parameters: Parameters,
    layout: [u64; KernelLayout::COUNT],
    ring_wake_bytes: u64,
}

impl From<Parameters> for Constants {
    fn from(parameters: Parameters) -> Self {
        Self {
            layout: parameters.layout.to_words(),
            ring_wake_bytes: u64::from(parameters.ring_bytes) / 4,
            parameters,
        }
    }
}

impl Constants {
    /// What they were made from.
    pub(super) const fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

/// Opens the object, as often as a start needs it. Making one parses the kernel's types,
/// used or not, so that a start makes one for all.
pub(super) struct Loader<'a>(EbpfLoader<'a>);

impl<'a> Loader<'a> {
    pub(super) fn new() -> Self {
        let mut loader = EbpfLoader::new();
        loader
            // Offsets come from our own layout: nothing here is relocated by kernel types.
            .btf(None)
            .verifier_log_level(VerifierLogLevel::STATS);
        Self(loader)
    }

    /// Creates the maps and prepares the programs; loads none of them yet.
    pub(super) fn open(&mut self, constants: &'a Constants) -> Result<Ebpf, Error> {
        let bytes = bytes_of(OBJECT)?;
        let parameters = &constants.parameters;
        let blocks = parameters.frames.div_ceil(FRAMES_PER_STATE_BLOCK).max(1);
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        let loader = &mut self.0;
        loader
            .override_global("LAYOUT", constants.layout.as_slice(), true)
            .override_global("MEMORY_MAP_BASE", &parameters.memory_map_base, true)
            .override_global("DIRECT_MAP_BASE", &parameters.direct_map_base, true)
            .override_global("HASH_SEED", &parameters.seed, true)
            .override_global(
                "REMOVAL_PAGES_PER_SECOND",
                &parameters.removal_pages_per_second,
                true,
            )
            .override_global("RING_WAKE_BYTES", &constants.ring_wake_bytes, true)
            .override_global("AYA_LOG_LEVEL", &parameters.log_level, true)
            .map_max_entries("EVENTS", parameters.ring_bytes)
            .map_max_entries("HITS", parameters.hit_ring_bytes)
            .map_max_entries("TRACED", parameters.traced)
            .map_max_entries("TRACES", parameters.traced)
            .map_max_entries("FRAME_STATE", blocks);
        for name in ["HASH_WORK", "HASH_SCRATCH", "FRAME_WORK", "FRAME_SCRATCH"] {
            loader.map_max_entries(name, parameters.workers);
        }
        loader.load(bytes).map_err(|source| {
            let hint = hint(&source);
            Error::Object {
                source: Box::new(source),
                hint,
            }
        })
    }
}

/// What to do about an object that cannot be opened, where that is known.
fn hint(error: &EbpfError) -> &'static str {
    match error {
        EbpfError::ParseError(
            ParseError::InvalidGlobalData { .. } | ParseError::SymbolNotFound { .. },
        ) => {
            "; the BPF object inside is older or newer than this binary: build both with 'cargo xtask build'"
        }
        error if is_refusal(error) => {
            "; the kernel's policy forbids BPF here: run as root with CAP_BPF, outside of containers that filter bpf(2)"
        }
        _ => "",
    }
}

/// Turns a failed load or attach into a sentence with the end of the verifier's log.
pub(super) fn program_error(program: &str, source: &ProgramError) -> Error {
    let (reason, log) = match source {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => (io_error.to_string(), last_lines(&verifier_log.to_string())),
        other => (with_causes(other), String::new()),
    };
    Error::Program {
        program: program.to_owned(),
        reason,
        log,
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The verifier's last words: enough to tell what it disliked, not its whole walk.
fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LOG_LINES);
    lines.iter().skip(from).fold(String::new(), |text, line| {
        text + "\n    " + line.trim_end()
    })
}

/// The raw tracepoint program `name`.
pub(super) fn raw_tracepoint<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut RawTracePoint, Error> {
    let program = ebpf.program_mut(name).ok_or(Error::Missing { name })?;
    program
        .try_into()
        .map_err(|source| program_error(name, &source))
}

/// Loads a program that is only run on request.
pub(super) fn load_on_request(ebpf: &mut Ebpf, name: &'static str) -> Result<(), Error> {
    let program = raw_tracepoint(ebpf, name)?;
    program
        .load()
        .map_err(|source| program_error(name, &source))
}

/// Runs the program `name` once with `arguments`, on `cpu` when given.
pub(super) fn run(
    ebpf: &Ebpf,
    name: &'static str,
    arguments: &[u64],
    cpu: Option<u32>,
) -> Result<(), Error> {
    let program = ebpf.program(name).ok_or(Error::Missing { name })?;
    let program: &RawTracePoint = program.try_into().map_err(|source| Error::TestRun {
        program: name,
        source,
    })?;
    let mut options = RawTracePointRunOptions::new();
    for (slot, argument) in options.args.iter_mut().zip(arguments) {
        *slot = *argument;
    }
    options.cpu = cpu;
    program
        .test_run(options)
        .map(|_| ())
        .map_err(|source| Error::TestRun {
            program: name,
            source,
        })
}

/// One past the highest page frame, from `/proc/zoneinfo`.
pub(super) fn frames() -> Result<u64, Error> {
    let path = Path::new("/proc/zoneinfo");
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(frames_of(&text))
}

/// Each zone tells `spanned` before `start_pfn`; their sum is its end.
fn frames_of(zoneinfo: &str) -> u64 {
    let mut spanned = 0;
    let mut end = 0;
    for line in zoneinfo.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("spanned"), Some(pages), None) => spanned = pages.parse().unwrap_or(0),
            (Some("start_pfn:"), Some(first), None) => {
                end = end.max(first.parse::<u64>().unwrap_or(0) + spanned);
            }
            _ => {}
        }
    }
    end
}

/// Takes a map out of the object.
pub(super) fn take_map(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, Error> {
    ebpf.take_map(name).ok_or(Error::Missing { name })
}

/// Turns a failure with a map into a sentence.
pub(super) fn map_error(map: &'static str, error: aya::maps::MapError) -> Error {
    Error::Map {
        map,
        source: std::io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::error::Class;

    #[test]
    fn zoneinfo_gives_the_end_of_the_last_zone() {
        let text = "Node 0, zone DMA\n  spanned  4095\n  present 3997\n  start_pfn:           1\n\
                    Node 0, zone Normal\n  spanned  524288\n  start_pfn:           1048576\n\
                    Node 0, zone Movable\n  spanned  0\n  start_pfn:           0\n";
        assert_eq!(frames_of(text), 1_572_864);
    }

    #[test]
    fn a_refused_program_is_told_with_the_end_of_the_verifiers_log() {
        let lines: Vec<String> = (0..100).map(|line| format!("{line}: insn")).collect();
        let refused = ProgramError::LoadError {
            io_error: std::io::Error::from_raw_os_error(13),
            verifier_log: aya_obj::VerifierLog::new(lines.join("\n") + "\n\n"),
        };
        let error = program_error("page_added", &refused);
        let expected = "the kernel refused the BPF program 'page_added': \
                        Permission denied (os error 13)\n    94: insn\n    95: insn\n    \
                        96: insn\n    97: insn\n    98: insn\n    99: insn";
        assert_eq!(error.to_string(), expected);
        // The verifier had its say: no privilege would change it.
        assert_eq!(error.class(), Class::Unsupported);
        let silent = ProgramError::LoadError {
            io_error: std::io::Error::from_raw_os_error(1),
            verifier_log: aya_obj::VerifierLog::new(String::new()),
        };
        let error = program_error("page_added", &silent);
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
        assert_eq!(error.class(), Class::Privilege);
    }

    #[test]
    fn a_build_without_programs_says_so_and_what_works_instead() {
        let Err(error) = bytes_of(None) else {
            panic!("there are no bytes");
        };
        let words = error.to_string();
        assert!(words.contains("built without its BPF programs"), "{words}");
        assert!(words.contains("--engine user"), "{words}");
        assert_eq!(error.class(), Class::Unsupported);
    }
}

//! Takes the BPF engine through its whole start-up, one step at a time: maps, test run,
//! calibration, proof, hooks. Everything made on the way is dropped at the end.

use aya::{Ebpf, maps::MapType, programs::ProgramType};
use aya_obj::generated::bpf_func_id;
use sharestat_ebpf::{layout::KernelLayout, records::HashBatch};

use super::{
    super::{
        btf::KernelTypes,
        calibration::{self, Bases, KnownPage},
        error::Error,
        instrument::ON_REQUEST,
        object::{self, Constants, Loader, Parameters},
        probes::{self, Attached, Hook},
        shared_array::SharedArray,
    },
    finding::{Area, Finding, Lack, State, Use},
};
use crate::seed::Seed;

const AREA: Area = Area::Engine;
const WITH_BPF: [Use; 2] = [Use::Scan, Use::Live];

/// What was learned about the engine.
pub(super) struct Engine {
    pub(super) findings: Vec<Finding>,
    pub(super) bases: Option<Bases>,
}

/// The steps of a start, in order; a step needs those before it.
const STEPS: [&str; 7] = [
    "known page",
    "BPF maps",
    "mmapable arrays",
    "test run",
    "calibration",
    "programs",
    "proof",
];

/// Examines; loads nothing when `may_load` is false.
pub(super) fn examine(
    types: Option<&KernelTypes>,
    layout: Option<&KernelLayout>,
    may_load: bool,
) -> Engine {
    let mut findings = vec![embedded()];
    let why = if !object::is_embedded() {
        Some("needs the BPF programs, which this build lacks")
    } else if !may_load {
        Some("needs the privileges that are missing")
    } else if types.is_none() || layout.is_none() {
        Some("needs the layout of the kernel's structures")
    } else {
        None
    };
    if may_load {
        findings.push(ring_buffer());
        findings.push(bpf_loop());
    }
    let (Some(types), Some(layout), None) = (types, layout, why) else {
        let why = why.unwrap_or("needs what is missing above");
        let untried = |name: &str| Finding::not_tried(AREA, name, why).needed_by(&WITH_BPF);
        if !may_load {
            findings.extend(["ring buffer", "bpf_loop"].map(untried));
        }
        findings.extend(STEPS.map(untried));
        findings.push(Finding::not_tried(Area::Hooks, "hooks", why).needed_by(&WITH_BPF));
        return Engine {
            findings,
            bases: None,
        };
    };
    let mut trial = Trial {
        done: Vec::new(),
        bases: None,
    };
    let ebpf = trial.start(layout);
    findings.extend(trial.findings(ebpf.as_ref().err()));
    match ebpf {
        Ok(mut ebpf) => findings.extend(probes::try_all(&mut ebpf, types).iter().map(hook)),
        Err(_) => findings.push(
            Finding::not_tried(Area::Hooks, "hooks", "needs the programs to load")
                .needed_by(&WITH_BPF),
        ),
    }
    Engine {
        findings,
        bases: trial.bases,
    }
}

fn embedded() -> Finding {
    if object::is_embedded() {
        return Finding::ok(AREA, "BPF object", "embedded in this binary").needed_by(&WITH_BPF);
    }
    Finding::failed(AREA, "BPF object", &Error::WithoutBpf)
        .loss("no measurement with BPF")
        .remedy("build with 'cargo xtask build', or use '--engine user'")
        .needed_by(&WITH_BPF)
}

fn ring_buffer() -> Finding {
    let name = "ring buffer";
    match aya::sys::is_map_supported(MapType::RingBuf) {
        Ok(true) => Finding::ok(AREA, name, "the kernel makes one"),
        Ok(false) => Finding::new(AREA, name, State::Missing, "the kernel has none")
            .remedy("a kernel of 5.8 or later")
            .lack(Lack::Support),
        Err(error) => refused(name, &error),
    }
    .needed_by(&WITH_BPF)
}

fn bpf_loop() -> Finding {
    let name = "bpf_loop";
    let helper = bpf_func_id::BPF_FUNC_loop;
    match aya::sys::is_helper_supported(ProgramType::RawTracePoint, helper) {
        Ok(true) => Finding::ok(AREA, name, "the verifier takes it in tracepoint programs"),
        Ok(false) => Finding::new(AREA, name, State::Missing, "the verifier does not know it")
            .remedy("a kernel of 5.17 or later")
            .lack(Lack::Support),
        Err(error) => refused(name, &error),
    }
    .needed_by(&WITH_BPF)
}

/// A probe that needs nothing but bpf(2) was refused: by policy, since privileges are there.
fn refused(name: &str, error: &(dyn std::error::Error + 'static)) -> Finding {
    let lack = if super::super::error::is_refusal(error) {
        Lack::Privilege
    } else {
        Lack::Support
    };
    Finding::new(AREA, name, State::Missing, error.to_string())
        .loss("no measurement with BPF")
        .remedy("a seccomp profile or a security module refuses bpf(2): run outside of it")
        .lack(lack)
}

/// A start of the engine in progress.
struct Trial {
    /// What each step that worked found, in the order of [`STEPS`].
    done: Vec<String>,
    bases: Option<Bases>,
}

impl Trial {
    /// Starts as `Instrument` does, with small maps; the steps that worked are in `done`.
    fn start(&mut self, layout: &KernelLayout) -> Result<Ebpf, Error> {
        let seed = Seed::random().map_err(|source| Error::Calibration {
            reason: format!("cannot get random bytes: {source}"),
        })?;
        let mut parameters = Parameters {
            layout: *layout,
            memory_map_base: 0,
            direct_map_base: 0,
            seed: seed.value(),
            removal_pages_per_second: 0,
            ring_bytes: 4096,
            hit_ring_bytes: 4096,
            traced: 1,
            workers: 1,
            frames: object::frames()?,
            log_level: 0,
        };
        let page = KnownPage::new()?;
        self.done.push(worked("known page"));
        let trial = calibration::constants(&parameters);
        let mut loader = Loader::new();
        let bases = calibration::find_bases(&mut loader, &trial, &page).inspect_err(|error| {
            self.done = before(error);
        })?;
        self.done = STEPS.iter().take(4).map(|step| worked(step)).collect();
        self.done.push(format!(
            "page structures and direct map found in {} {}",
            bases.tries,
            if bases.tries == 1 { "try" } else { "tries" }
        ));
        parameters.memory_map_base = bases.memory_map;
        parameters.direct_map_base = bases.direct_map;
        self.bases = Some(bases);
        let seed = parameters.seed;
        let constants = Constants::from(parameters);
        let mut ebpf = loader.open(&constants)?;
        for program in ON_REQUEST {
            object::load_on_request(&mut ebpf, program)?;
        }
        self.done
            .push(format!("the verifier took {}", ON_REQUEST.join(", ")));
        let work = SharedArray::<HashBatch>::map(&ebpf, "HASH_WORK", 1)?;
        calibration::prove(&ebpf, &work, &page, &bases, seed)?;
        self.done
            .push("a page of known content has the same hash in the kernel and here".to_owned());
        Ok(ebpf)
    }

    /// The steps as findings: those that worked, the one that failed, those not reached.
    fn findings(&self, error: Option<&Error>) -> Vec<Finding> {
        STEPS
            .iter()
            .enumerate()
            .map(|(number, step)| {
                let finding = match (self.done.get(number), error) {
                    (Some(found), _) => Finding::ok(AREA, *step, found),
                    (None, Some(error)) if number == self.done.len() => {
                        Finding::failed(AREA, *step, error)
                            .loss("no measurement with BPF")
                            .remedy("'--engine user' measures without BPF")
                    }
                    (None, _) => {
                        let failed = STEPS.get(self.done.len()).copied().unwrap_or_default();
                        Finding::not_tried(AREA, *step, format!("needs '{failed}'"))
                    }
                };
                finding.needed_by(&WITH_BPF)
            })
            .collect()
    }
}

fn worked(step: &str) -> String {
    match step {
        "known page" => "its frame number can be read",
        "BPF maps" => "the kernel makes them and the object's types are accepted",
        "mmapable arrays" => "user space reads and writes them in place",
        _ => "programs run on request",
    }
    .to_owned()
}

/// How far the calibration came before `error`.
fn before(error: &Error) -> Vec<String> {
    let steps = match error {
        Error::Map { .. } => 2,
        Error::Program { .. } | Error::TestRun { .. } | Error::Missing { .. } => 3,
        Error::Calibration { .. } => 4,
        Error::WithoutBpf
        | Error::Capabilities { .. }
        | Error::Btf { .. }
        | Error::Layout(_)
        | Error::Object { .. }
        | Error::Read { .. }
        | Error::Scope(_)
        | Error::Mounts { .. }
        | Error::BreakpointsRefused { .. }
        | Error::BreakpointsTaken { .. }
        | Error::NoKprobes
        | Error::KprobeRefused { .. }
        | Error::Runtime { .. } => 1,
    };
    STEPS.iter().take(steps).map(|step| worked(step)).collect()
}

fn hook(hook: &Hook) -> Finding {
    let optional = hook.is_optional();
    let state = match (&hook.attached, optional) {
        (Attached::No(_), true) => State::Degraded,
        (Attached::No(_), false) => State::Missing,
        (Attached::RawTracepoint | Attached::Fentry | Attached::Fexit, _) => State::Ok,
    };
    let finding = Finding::new(Area::Hooks, hook.event, state, hook.attached.describe());
    match state {
        State::Ok => finding,
        State::Missing => finding
            .loss(hook.loss)
            .remedy("'--engine user' measures without hooks")
            .lack(Lack::Support),
        State::Degraded | State::NotNeeded | State::NotTried => finding.loss(hook.loss).remedy(
            "none needed for 'scan'; a kernel that permits fentry and fexit (BPF trampolines) closes the gap",
        ),
    }
    .needed_by(if optional { &[Use::Live] } else { &WITH_BPF })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(done: usize) -> Trial {
        Trial {
            done: STEPS.iter().take(done).map(|step| worked(step)).collect(),
            bases: None,
        }
    }

    #[test]
    fn the_failed_step_is_named_and_later_ones_are_not_tried() {
        let error = Error::TestRun {
            program: "calibrate",
            source: aya::programs::ProgramError::NotLoaded,
        };
        let findings = trial(before(&error).len()).findings(Some(&error));
        let states: Vec<_> = findings.iter().map(|finding| finding.state).collect();
        assert_eq!(
            states,
            [
                State::Ok,
                State::Ok,
                State::Ok,
                State::Missing,
                State::NotTried,
                State::NotTried,
                State::NotTried
            ]
        );
        assert_eq!(findings[4].found, "needs 'test run'");
    }

    #[test]
    fn a_refused_trampoline_degrades_and_a_refused_tracepoint_stops() {
        let with = |program, attached| {
            hook(&Hook {
                program,
                event: "event",
                attached,
                loss: "something",
            })
        };
        let refused = || Attached::No("refused by policy".to_owned());
        let trampoline = with("add_done", refused());
        assert_eq!(trampoline.state, State::Degraded);
        assert_eq!(trampoline.found, "no: refused by policy");
        assert_eq!(trampoline.loss, "something");
        assert_eq!(with("page_added", refused()).state, State::Missing);
        assert_eq!(with("add_done", Attached::Fexit).found, "fexit");
    }

    #[test]
    fn without_privileges_nothing_is_loaded_and_everything_is_listed() {
        let engine = examine(None, None, false);
        assert!(engine.bases.is_none());
        for step in STEPS.iter().chain(&["ring buffer", "bpf_loop", "hooks"]) {
            let finding = engine
                .findings
                .iter()
                .find(|finding| finding.name == *step)
                .expect("every step is listed");
            assert_eq!(finding.state, State::NotTried, "{step}");
        }
    }
}

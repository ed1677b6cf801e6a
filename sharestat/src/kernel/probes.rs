//! Attaches the hooks, says what each became, and degrades by name.

use aya::{
    Btf, Ebpf, Endianness,
    programs::{FEntry, FExit, Program},
};

use super::{
    btf::KernelTypes,
    error::Error,
    object::{program_error, raw_tracepoint},
};

/// How a hook is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attached {
    /// Raw tracepoint: on every kernel.
    RawTracepoint,
    /// Trampoline at the entry of a function.
    Fentry,
    /// Trampoline at the exit of a function.
    Fexit,
    /// Not attached, because.
    No(String),
}

impl Hook {
    /// Whether measurement goes on without it.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        TRACEPOINTS
            .iter()
            .all(|(program, _, _)| *program != self.program)
    }
}

impl Hook {
    /// What is not measured for want of it; empty when it is attached.
    #[must_use]
    pub fn lost_without(&self) -> &'static str {
        match self.attached {
            Attached::No(_) => self.loss,
            Attached::RawTracepoint | Attached::Fentry | Attached::Fexit => "",
        }
    }
}

impl Attached {
    /// As in reports: the kind, or `no: ` and the reason.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::RawTracepoint => "raw_tracepoint".to_owned(),
            Self::Fentry => "fentry".to_owned(),
            Self::Fexit => "fexit".to_owned(),
            Self::No(reason) => format!("no: {reason}"),
        }
    }
}

/// One hook and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Name of the BPF program.
    pub program: &'static str,
    /// The tracepoint or function.
    pub event: &'static str,
    /// How it is attached.
    pub attached: Attached,
    /// What is lost when it is not.
    pub loss: &'static str,
}

/// (program, tracepoint): without these there is no live measurement.
const TRACEPOINTS: [(&str, &str, &str); 3] = [
    (
        "page_added",
        "mm_filemap_add_to_page_cache",
        "no live measurement",
    ),
    (
        "page_removed",
        "mm_filemap_delete_from_page_cache",
        "no live measurement",
    ),
    (
        "page_dirtied",
        "writeback_dirty_folio",
        "no live measurement",
    ),
];

/// Optional hooks by trampoline.
struct Trampoline {
    program: &'static str,
    function: &'static str,
    exit: bool,
    /// Number of arguments the program was written for, where kernels differ.
    arguments: Option<usize>,
    loss: &'static str,
}

const TRAMPOLINES: [Trampoline; 4] = [
    Trampoline {
        program: "reclaim_enter",
        function: "__remove_mapping",
        exit: false,
        arguments: None,
        loss: "large folios that reclaim takes before their turn are not hashed",
    },
    Trampoline {
        program: "add_done",
        function: "filemap_add_folio",
        exit: true,
        arguments: None,
        loss: "failed adds and working-set refaults are not counted",
    },
    Trampoline {
        program: "shmem_added",
        function: "shmem_add_to_page_cache",
        exit: true,
        arguments: Some(5),
        loss: "tmpfs is known as of the last census only",
    },
    Trampoline {
        program: "shmem_added_six",
        function: "shmem_add_to_page_cache",
        exit: true,
        arguments: Some(6),
        loss: "tmpfs is known as of the last census only",
    },
];

/// Attaches everything that this kernel takes.
///
/// # Errors
/// When one of the three tracepoints cannot be attached; a refused trampoline is only
/// noted in its [`Hook`].
pub(super) fn attach_all(ebpf: &mut Ebpf, types: &KernelTypes) -> Result<Vec<Hook>, Error> {
    let mut hooks = Vec::new();
    for (program, event, loss) in TRACEPOINTS {
        attach_tracepoint(ebpf, program, event)?;
        hooks.push(tracepoint(program, event, loss, Attached::RawTracepoint));
    }
    hooks.extend(attach_trampolines(ebpf, types));
    Ok(hooks)
}

/// As [`attach_all`], but only notes what cannot be attached.
pub(super) fn try_all(ebpf: &mut Ebpf, types: &KernelTypes) -> Vec<Hook> {
    let mut hooks: Vec<_> = TRACEPOINTS
        .into_iter()
        .map(|(program, event, loss)| {
            let attached = match attach_tracepoint(ebpf, program, event) {
                Ok(()) => Attached::RawTracepoint,
                Err(error) => Attached::No(error.to_string()),
            };
            tracepoint(program, event, loss, attached)
        })
        .collect();
    hooks.extend(attach_trampolines(ebpf, types));
    hooks
}

const fn tracepoint(
    program: &'static str,
    event: &'static str,
    loss: &'static str,
    attached: Attached,
) -> Hook {
    Hook {
        program,
        event,
        attached,
        loss,
    }
}

fn attach_tracepoint(
    ebpf: &mut Ebpf,
    program: &'static str,
    event: &'static str,
) -> Result<(), Error> {
    let loaded = raw_tracepoint(ebpf, program)?;
    loaded
        .load()
        .and_then(|()| loaded.attach(event).map(drop))
        .map_err(|source| program_error(program, &source))
}

fn attach_trampolines(ebpf: &mut Ebpf, types: &KernelTypes) -> Vec<Hook> {
    let mut hooks = Vec::new();
    // One parse of BTF for all trampolines; without it they cannot be loaded at all.
    let btf = Btf::parse(types.bytes(), Endianness::default()).map_err(|error| error.to_string());
    for trampoline in &TRAMPOLINES {
        let arguments = types.arguments(trampoline.function);
        if trampoline.arguments.is_some()
            && arguments.is_some()
            && arguments != trampoline.arguments
        {
            continue;
        }
        let attached = if arguments.is_none() {
            Attached::No("the kernel has no such function".to_owned())
        } else {
            match &btf {
                Ok(btf) => attach(ebpf, trampoline, btf),
                Err(reason) => Attached::No(reason.clone()),
            }
        };
        hooks.push(Hook {
            program: trampoline.program,
            event: trampoline.function,
            attached,
            loss: trampoline.loss,
        });
    }
    hooks.dedup_by(|later, earlier| later.event == earlier.event);
    hooks
}

fn attach(ebpf: &mut Ebpf, trampoline: &Trampoline, btf: &Btf) -> Attached {
    let Some(program) = ebpf.program_mut(trampoline.program) else {
        return Attached::No("not in the BPF object".to_owned());
    };
    let done = if trampoline.exit {
        attach_exit(program, trampoline.function, btf)
    } else {
        attach_entry(program, trampoline.function, btf)
    };
    match done {
        Ok(()) if trampoline.exit => Attached::Fexit,
        Ok(()) => Attached::Fentry,
        Err(source) => Attached::No(refusal(&program_error(trampoline.program, &source))),
    }
}

fn attach_entry(
    program: &mut Program,
    function: &str,
    btf: &Btf,
) -> Result<(), aya::programs::ProgramError> {
    let program: &mut FEntry = program.try_into()?;
    program.load(function, btf)?;
    program.attach()?;
    Ok(())
}

fn attach_exit(
    program: &mut Program,
    function: &str,
    btf: &Btf,
) -> Result<(), aya::programs::ProgramError> {
    let program: &mut FExit = program.try_into()?;
    program.load(function, btf)?;
    program.attach()?;
    Ok(())
}

/// A refusal without any verifier output is policy (a security module, a lockdown, a
/// hypervisor's guard), not a defect of the program.
fn refusal(error: &Error) -> String {
    match error {
        Error::Program { reason, log, .. }
            if log.is_empty() && reason.contains("not permitted") =>
        {
            "the kernel's policy refuses trampolines (EPERM)".to_owned()
        }
        Error::Program { reason, log, .. } => format!("{reason}{log}"),
        other => other.to_string(),
    }
}

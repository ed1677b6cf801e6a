//! Hardware breakpoints on kernel words, the same words on every CPU. In: addresses.
//! Out: runs of a BPF program, one for each access. x86 has no breakpoint on reads alone.

use std::{
    fs, io,
    os::fd::{BorrowedFd, OwnedFd},
};

use aya_obj::generated::{HW_BREAKPOINT_RW, perf_event_attr};

use crate::kernel::{
    error::Error,
    perf_event::{self, Whose},
};

/// Debug registers of a CPU for addresses (DR0 to DR3).
pub const SLOTS: usize = 4;

/// One watched word: an event for each CPU.
struct Slot {
    events: Vec<OwnedFd>,
    armed: bool,
}

/// The breakpoints of all CPUs.
pub(super) struct Breakpoints {
    cpus: Vec<u32>,
    slots: Vec<Slot>,
    wanted: usize,
}

impl Breakpoints {
    /// None yet; at most `wanted` words will be watched at a time.
    pub(super) fn new(cpus: Vec<u32>, wanted: usize) -> Self {
        Self {
            cpus,
            slots: Vec::new(),
            wanted: wanted.clamp(1, SLOTS),
        }
    }

    /// Words that can be watched at a time, as far as is known.
    pub(super) fn capacity(&self) -> usize {
        self.wanted
    }

    /// CPUs they are on.
    pub(super) fn cpus(&self) -> usize {
        self.cpus.len()
    }

    /// Watches `addresses` instead of what was watched before; `program` runs at each
    /// access. Returns how many are watched: fewer when others hold debug registers.
    pub(super) fn arm(
        &mut self,
        addresses: &[u64],
        program: BorrowedFd<'_>,
    ) -> Result<usize, Error> {
        let mut armed = 0;
        for (number, address) in addresses.iter().take(self.wanted).enumerate() {
            if let Some(slot) = self.slots.get_mut(number) {
                for event in &slot.events {
                    perf_event::modify(event, &attributes(*address)).map_err(refused)?;
                }
                slot.armed = true;
            } else {
                match open_everywhere(*address, &self.cpus, program) {
                    Ok(events) => self.slots.push(Slot {
                        events,
                        armed: true,
                    }),
                    // ENOSPC: `reserve_bp_slot` (kernel/events/hw_breakpoint.c).
                    Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                        if number == 0 {
                            return Err(Error::BreakpointsTaken { holders: holders() });
                        }
                        self.wanted = number;
                        break;
                    }
                    Err(error) => return Err(refused(error)),
                }
            }
            armed = number + 1;
        }
        self.disarm_from(armed);
        Ok(armed)
    }

    /// Watches nothing; the debug registers stay reserved.
    pub(super) fn disarm(&mut self) {
        self.disarm_from(0);
    }

    fn disarm_from(&mut self, first: usize) {
        for slot in self.slots.iter_mut().skip(first).filter(|slot| slot.armed) {
            for event in &slot.events {
                // An event that cannot be disabled belongs to a CPU that went away.
                let _ = perf_event::disable(event);
            }
            slot.armed = false;
        }
    }
}

fn refused(source: io::Error) -> Error {
    Error::BreakpointsRefused { source }
}

/// Eight bytes, reads and writes, every access, kernel and user.
fn attributes(address: u64) -> perf_event_attr {
    let mut attributes = perf_event::breakpoint(address, HW_BREAKPOINT_RW);
    attributes.__bindgen_anon_1.sample_period = 1;
    attributes
}

/// One event per CPU; a CPU that went offline (ENODEV) is left out.
fn open_everywhere(
    address: u64,
    cpus: &[u32],
    program: BorrowedFd<'_>,
) -> io::Result<Vec<OwnedFd>> {
    let attributes = attributes(address);
    let mut events = Vec::with_capacity(cpus.len());
    for cpu in cpus {
        let event = match perf_event::open(&attributes, Whose::AllOn(*cpu)) {
            Ok(event) => event,
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => continue,
            Err(error) => return Err(error),
        };
        perf_event::run_program(&event, program)?;
        events.push(event);
    }
    Ok(events)
}

/// Other processes with perf events: they may hold the debug registers. Debuggers hold
/// them through ptrace, which leaves no trace here.
fn holders() -> String {
    let own = std::process::id().to_string();
    let holds = |process: &fs::DirEntry| {
        fs::read_dir(process.path().join("fd")).is_ok_and(|descriptors| {
            descriptors.flatten().any(|descriptor| {
                fs::read_link(descriptor.path())
                    .is_ok_and(|target| target.as_os_str() == "anon_inode:[perf_event]")
            })
        })
    };
    let mut found: Vec<String> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|process| {
            let name = process.file_name();
            let name = name.to_string_lossy();
            name.bytes().all(|byte| byte.is_ascii_digit()) && name != own
        })
        .filter(holds)
        .map(|process| {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            format!(
                "'{}' ({})",
                name.trim(),
                process.file_name().to_string_lossy()
            )
        })
        .collect();
    found.sort();
    if found.is_empty() {
        "a debugger".to_owned()
    } else {
        format!(
            "a debugger, or {}, which have perf events open",
            found.join(", ")
        )
    }
}

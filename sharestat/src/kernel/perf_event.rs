//! `perf_event_open(2)`, for what aya opens no events for: breakpoints on kernel words,
//! and kprobes by address. In: attributes. Out: an event that ends when it is dropped.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use aya_obj::generated::{
    HW_BREAKPOINT_LEN_8, PERF_EVENT_IOC_DISABLE, PERF_EVENT_IOC_ENABLE,
    PERF_EVENT_IOC_MODIFY_ATTRIBUTES, PERF_EVENT_IOC_SET_BPF, perf_event_attr,
};

/// `PERF_TYPE_BREAKPOINT` (`include/uapi/linux/perf_event.h`).
const PERF_TYPE_BREAKPOINT: u32 = 5;

/// `PERF_FLAG_FD_CLOEXEC`, same header.
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

/// Whose doings an event notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of this thread, wherever it runs.
    ThisThread,
    /// Those of all tasks on one CPU.
    AllOn(u32),
}

/// Attributes of an event of the type `kind`, everything else zero.
pub(super) fn attributes(kind: u32) -> perf_event_attr {
    // SAFETY: integers and unions of integers, for which zero is a value.
    let mut attributes: perf_event_attr = unsafe { std::mem::zeroed() };
    attributes.type_ = kind;
    attributes.size = u32::try_from(size_of::<perf_event_attr>()).unwrap_or(u32::MAX);
    attributes
}

/// A breakpoint on the eight bytes at `address`, for `accesses` (`HW_BREAKPOINT_…`).
pub(super) fn breakpoint(address: u64, accesses: u32) -> perf_event_attr {
    let mut attributes = attributes(PERF_TYPE_BREAKPOINT);
    attributes.bp_type = accesses;
    attributes.__bindgen_anon_3.bp_addr = address;
    attributes.__bindgen_anon_4.bp_len = u64::from(HW_BREAKPOINT_LEN_8);
    attributes
}

/// Where the kernel says which perf event type kprobes are.
const KPROBE_TYPE: &str = "/sys/bus/event_source/devices/kprobe/type";

/// The perf event type of kprobes; `None` when the kernel has none.
pub(super) fn kprobe_type() -> Option<u32> {
    fs::read_to_string(KPROBE_TYPE).ok()?.trim().parse().ok()
}

/// A kprobe at `address`, of the type `kind`: by address, because names are not unique. An
/// event on one CPU, whose program runs on all (`kprobe_perf_func` looks at the program,
/// not at the CPU).
///
/// # Errors
/// What the kernel says.
pub(super) fn kprobe(kind: u32, address: u64, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attributes = attributes(kind);
    // No function name (`kprobe_func`), but an address (`kprobe_addr`).
    attributes.__bindgen_anon_4.config2 = address;
    let event = open(&attributes, Whose::AllOn(0))?;
    run_program(&event, program)?;
    enable(&event)?;
    Ok(event)
}

/// Opens an event, closed on exec.
///
/// # Errors
/// What the kernel says.
pub(super) fn open(attributes: &perf_event_attr, whose: Whose) -> io::Result<OwnedFd> {
    let (process, cpu) = match whose {
        Whose::ThisThread => (0, -1),
        Whose::AllOn(cpu) => (-1, i64::from(cpu)),
    };
    // SAFETY: the attributes outlive the call and tell their own size; the rest are
    // numbers, among them no group (-1).
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            std::ptr::from_ref(attributes),
            process,
            cpu,
            -1,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    let descriptor = i32::try_from(descriptor).unwrap_or(-1);
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Runs a BPF program whenever the event occurs.
///
/// # Errors
/// What the kernel says.
pub(super) fn run_program(event: &OwnedFd, program: BorrowedFd<'_>) -> io::Result<()> {
    let program = program.as_raw_fd().cast_unsigned();
    ioctl(event, PERF_EVENT_IOC_SET_BPF, u64::from(program))
}

/// Starts an event.
///
/// # Errors
/// What the kernel says.
pub(super) fn enable(event: &OwnedFd) -> io::Result<()> {
    ioctl(event, PERF_EVENT_IOC_ENABLE, 0)
}

/// Stops an event; it keeps its debug register.
///
/// # Errors
/// What the kernel says.
pub(super) fn disable(event: &OwnedFd) -> io::Result<()> {
    ioctl(event, PERF_EVENT_IOC_DISABLE, 0)
}

/// Moves a breakpoint and starts it (4.17 and later): cheaper than closing and opening.
///
/// # Errors
/// What the kernel says.
pub(super) fn modify(event: &OwnedFd, attributes: &perf_event_attr) -> io::Result<()> {
    let attributes = std::ptr::from_ref(attributes) as u64;
    ioctl(event, PERF_EVENT_IOC_MODIFY_ATTRIBUTES, attributes)
}

fn ioctl(event: &OwnedFd, request: u32, argument: u64) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the argument is what the request takes: a
    // number, or the address of attributes that outlive the call.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), request.into(), argument) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

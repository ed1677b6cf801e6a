//! Opens one hardware breakpoint on a variable of this process, writes the variable, and
//! reads how often the processor noticed. Many virtual machines open them and never fire.

use std::{
    fs::File,
    hint::black_box,
    io::{self, Read as _},
    os::fd::FromRawFd as _,
};

use aya_obj::generated::{HW_BREAKPOINT_LEN_8, HW_BREAKPOINT_W, perf_event_attr};

/// `PERF_TYPE_BREAKPOINT` (`include/uapi/linux/perf_event.h`).
const PERF_TYPE_BREAKPOINT: u32 = 5;

/// `PERF_FLAG_FD_CLOEXEC`, same header.
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

/// How often the watched variable is written.
pub(super) const WRITES: u64 = 3;

/// How many of [`WRITES`] writes were noticed.
pub(super) fn hits() -> io::Result<u64> {
    // On the heap, so that no other variable shares its eight bytes.
    let mut watched = Box::new(0_u64);
    let mut counter = open(&raw const *watched)?;
    for write in 0..WRITES {
        *black_box(&mut *watched) = write;
        black_box(&watched);
    }
    let mut count = [0; 8];
    counter.read_exact(&mut count)?;
    Ok(u64::from_ne_bytes(count))
}

/// A counter of writes that this thread makes to `variable`, from user space only.
fn open(variable: *const u64) -> io::Result<File> {
    // SAFETY: integers and unions of integers, for which zero is a value.
    let mut attributes: perf_event_attr = unsafe { std::mem::zeroed() };
    attributes.type_ = PERF_TYPE_BREAKPOINT;
    attributes.size = u32::try_from(size_of::<perf_event_attr>()).unwrap_or(u32::MAX);
    attributes.bp_type = HW_BREAKPOINT_W;
    attributes.__bindgen_anon_3.bp_addr = variable as u64;
    attributes.__bindgen_anon_4.bp_len = u64::from(HW_BREAKPOINT_LEN_8);
    attributes.set_exclude_kernel(1);
    attributes.set_exclude_hv(1);
    // SAFETY: the attributes outlive the call and tell their own size; the rest are
    // numbers: this thread (0), any CPU (-1), no group (-1), close on exec.
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            0,
            -1,
            -1,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    let descriptor = i32::try_from(descriptor).unwrap_or(-1);
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

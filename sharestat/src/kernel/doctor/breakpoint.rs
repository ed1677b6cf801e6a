//! Opens one hardware breakpoint on a variable of this process, writes the variable, and
//! reads how often the processor noticed. Many virtual machines open them and never fire.

use std::{
    fs::File,
    hint::black_box,
    io::{self, Read as _},
};

use aya_obj::generated::HW_BREAKPOINT_W;

use crate::kernel::perf_event::{self, Whose};

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
    let mut attributes = perf_event::breakpoint(variable as u64, HW_BREAKPOINT_W);
    attributes.set_exclude_kernel(1);
    attributes.set_exclude_hv(1);
    perf_event::open(&attributes, Whose::ThisThread).map(File::from)
}

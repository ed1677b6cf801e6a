//! What measurements by kprobes have in common: how they begin, and their program.

use std::os::fd::{AsFd as _, BorrowedFd};

use aya::{Ebpf, programs::KProbe};

use super::{
    btf::KernelTypes,
    capabilities,
    error::Error,
    layout::layout_of,
    object::{self, Constants, Loader, Parameters},
    perf_event,
};

/// What every measurement by kprobes begins with: the type of their perf events, and the
/// object with room for `sites` of them.
///
/// # Errors
/// When the kernel has no kprobes, a privilege is missing, or this build has no BPF.
pub(super) fn open(sites: u32) -> Result<(u32, Ebpf), Error> {
    if !object::is_embedded() {
        return Err(Error::WithoutBpf);
    }
    let kind = perf_event::kprobe_type().ok_or(Error::NoKprobes)?;
    capabilities::require()?;
    let layout = layout_of(&KernelTypes::of_kernel()?)?;
    let constants = Constants::from(Parameters::for_probes(&layout, sites));
    let ebpf = Loader::new().open(&constants)?;
    Ok((kind, ebpf))
}

/// Loads the kprobe program `name`.
pub(super) fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<BorrowedFd<'a>, Error> {
    let program: &mut KProbe = ebpf
        .program_mut(name)
        .ok_or(Error::Missing { name })?
        .try_into()
        .map_err(|source| object::program_error(name, &source))?;
    program
        .load()
        .map_err(|source| object::program_error(name, &source))?;
    let descriptor = program
        .fd()
        .map_err(|source| object::program_error(name, &source))?;
    Ok(descriptor.as_fd())
}

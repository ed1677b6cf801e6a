//! Steps that use mappings.

use std::{fs, io, os::fd::AsRawFd as _};

use sharestat_ebpf::PAGE_SIZE;

use super::{
    mapping::{Access, check},
    stage::{Stage, Stop},
};

const FEW: usize = 4;

/// Pages of a huge page.
const HUGE: usize = 512;

/// Maps a file, touches it, unmaps it.
fn touch(stage: &mut Stage<'_>, access: Access, write: bool) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    stage.watch(&prop, &mut || {
        let mapping = prop.map(access)?;
        mapping.read_all();
        if write {
            mapping.write_all();
        }
        Ok(())
    })?;
    Ok(Stage::remove(&prop)?)
}

pub(super) fn map_read(stage: &mut Stage<'_>) -> Result<(), Stop> {
    touch(stage, Access::Read, false)
}

pub(super) fn map_execute(stage: &mut Stage<'_>) -> Result<(), Stop> {
    touch(stage, Access::Execute, false)
}

pub(super) fn copy_on_write(stage: &mut Stage<'_>) -> Result<(), Stop> {
    touch(stage, Access::PrivateWrite, true)
}

pub(super) fn map_write(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    let mapping = prop.map(Access::SharedWrite)?;
    stage.watch(&prop, &mut || {
        mapping.read_all();
        mapping.write_all();
        Ok(mapping.sync()?)
    })?;
    drop(mapping);
    Ok(Stage::remove(&prop)?)
}

/// Does something to a mapping whose pages are present.
fn on_mapping(
    stage: &mut Stage<'_>,
    pages: usize,
    deed: &mut dyn FnMut(&super::mapping::Mapping) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let prop = stage.file(pages)?;
    let mapping = prop.map(Access::Read)?;
    mapping.read_all();
    stage.watch(&prop, &mut || deed(&mapping))?;
    drop(mapping);
    Ok(Stage::remove(&prop)?)
}

pub(super) fn fork(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    // Private and writable mappings are copied by fork; others are faulted in again.
    let mapping = prop.map(Access::PrivateWrite)?;
    mapping.read_all();
    stage.watch(&prop, &mut || in_child(&|| mapping.read_all()))?;
    drop(mapping);
    Ok(Stage::remove(&prop)?)
}

/// Does `deed` in a child process and waits for its end.
pub(super) fn in_child(deed: &dyn Fn()) -> Result<(), Stop> {
    // SAFETY: the child only does `deed`, which allocates nothing, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        deed();
        // SAFETY: ends the child at once, without what the parent has to clean up.
        unsafe { libc::_exit(0) };
    }
    check(child)?;
    let mut status = 0;
    // SAFETY: a child of ours, and room for its status.
    check(unsafe { libc::waitpid(child, &raw mut status, 0) })?;
    Ok(())
}

pub(super) fn lock(stage: &mut Stage<'_>) -> Result<(), Stop> {
    on_mapping(stage, FEW, &mut |mapping| Ok(mapping.lock_and_unlock()?))
}

pub(super) fn pageout(stage: &mut Stage<'_>) -> Result<(), Stop> {
    on_mapping(stage, FEW, &mut |mapping| {
        Ok(mapping.advise(libc::MADV_PAGEOUT)?)
    })
}

pub(super) fn cold(stage: &mut Stage<'_>) -> Result<(), Stop> {
    on_mapping(stage, FEW, &mut |mapping| {
        Ok(mapping.advise(libc::MADV_COLD)?)
    })
}

pub(super) fn collapse(stage: &mut Stage<'_>) -> Result<(), Stop> {
    /// `MADV_COLLAPSE` (include/uapi/asm-generic/mman-common.h), since 6.1.
    const COLLAPSE: i32 = 25;
    let prop = stage.file(2 * HUGE)?;
    let mapping = prop.map(Access::Execute)?;
    mapping.read_all();
    stage.watch(&prop, &mut || {
        mapping
            .advise(COLLAPSE)
            .map_err(|error| Stop::Cannot(format!("MADV_COLLAPSE of a file failed: {error}")))
    })?;
    drop(mapping);
    Ok(Stage::remove(&prop)?)
}

pub(super) fn statistics(stage: &mut Stage<'_>) -> Result<(), Stop> {
    on_mapping(stage, FEW, &mut |_| {
        fs::read("/proc/self/smaps")?;
        fs::read("/proc/self/numa_maps").or_else(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                Ok(Vec::new())
            } else {
                Err(error)
            }
        })?;
        Ok(())
    })
}

pub(super) fn foreign_read(stage: &mut Stage<'_>) -> Result<(), Stop> {
    on_mapping(stage, FEW, &mut |mapping| {
        let mut bytes = vec![0_u8; FEW * PAGE_SIZE];
        let to = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        let from = libc::iovec {
            iov_base: mapping.pointer(),
            iov_len: bytes.len(),
        };
        // SAFETY: both vectors name memory of that length, of this very process.
        let moved = unsafe {
            libc::process_vm_readv(libc::getpid(), &raw const to, 1, &raw const from, 1, 0)
        };
        if moved < 0 {
            return Err(io::Error::last_os_error().into());
        }
        Ok(())
    })
}

pub(super) fn futex(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    let mapping = prop.map(Access::SharedWrite)?;
    mapping.read_all();
    stage.watch(&prop, &mut || {
        for page in 0..FEW {
            // SAFETY: a word of the mapping; waking nobody changes nothing.
            let woken = unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    mapping.pointer().cast::<u8>().add(page * PAGE_SIZE),
                    libc::FUTEX_WAKE,
                    1,
                )
            };
            if woken < 0 {
                return Err(io::Error::last_os_error().into());
            }
        }
        Ok(())
    })?;
    drop(mapping);
    Ok(Stage::remove(&prop)?)
}

pub(super) fn migrate(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let nodes = fs::read_to_string("/sys/devices/system/node/has_memory").unwrap_or_default();
    if !nodes.trim().contains(['-', ',']) {
        return Err(Stop::Cannot("this machine has one memory node".to_owned()));
    }
    on_mapping(stage, FEW, &mut |mapping| {
        for node in [1, 0] {
            let mut pages: Vec<*mut libc::c_void> = (0..FEW)
                // SAFETY: addresses inside the mapping.
                .map(|page| unsafe { mapping.pointer().add(page * PAGE_SIZE) })
                .collect();
            let to = [node; FEW];
            let mut status = [0_i32; FEW];
            // SAFETY: arrays of as many elements as told.
            let answer = unsafe {
                libc::syscall(
                    libc::SYS_move_pages,
                    0,
                    FEW,
                    pages.as_mut_ptr(),
                    to.as_ptr(),
                    status.as_mut_ptr(),
                    1 << 2,
                )
            };
            if answer < 0 {
                return Err(io::Error::last_os_error().into());
            }
        }
        Ok(())
    })
}

pub(super) fn soft_offline(stage: &mut Stage<'_>) -> Result<(), Stop> {
    if !stage.disruptive {
        return Err(Stop::Cannot(
            "takes memory from the machine: needs --disruptive".to_owned(),
        ));
    }
    on_mapping(stage, FEW, &mut |mapping| {
        /// `MADV_SOFT_OFFLINE` (include/uapi/asm-generic/mman-common.h).
        const SOFT_OFFLINE: i32 = 101;
        mapping.advise(SOFT_OFFLINE).map_err(|error| {
            Stop::Cannot(format!("the kernel does not take pages offline: {error}"))
        })
    })
}

pub(super) fn map_direct(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    let (_reader, write) = std::io::pipe()?;
    let mapping = prop.map(Access::Read)?;
    stage.watch(&prop, &mut || {
        let piece = libc::iovec {
            iov_base: mapping.pointer(),
            iov_len: prop.bytes,
        };
        // SAFETY: the vector names the mapping.
        let moved = unsafe { libc::vmsplice(write.as_raw_fd(), &raw const piece, 1, 0) };
        if moved < 0 {
            return Err(io::Error::last_os_error().into());
        }
        Ok(())
    })?;
    drop(mapping);
    Ok(Stage::remove(&prop)?)
}

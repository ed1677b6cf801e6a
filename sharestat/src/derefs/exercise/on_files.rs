//! Steps that use file system calls.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    os::{fd::AsRawFd as _, unix::fs::FileExt as _},
};

use sharestat_ebpf::PAGE_SIZE;

use super::{
    mapping::{Access, check},
    stage::{Stage, Stop, stay_on_one_cpu},
};

/// Pages of a small file: as many as can be watched.
const FEW: usize = 4;

pub(super) fn read(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    stage.watch(&prop, &mut || Ok(prop.read()?))?;
    Ok(Stage::remove(&prop)?)
}

pub(super) fn read_again(stage: &mut Stage<'_>) -> Result<(), Stop> {
    stay_on_one_cpu()?;
    let prop = stage.file(FEW)?;
    for _ in 0..4 {
        stage.watch(&prop, &mut || {
            prop.forget()?;
            Ok(prop.read()?)
        })?;
    }
    Ok(Stage::remove(&prop)?)
}

pub(super) fn readahead(stage: &mut Stage<'_>) -> Result<(), Stop> {
    stay_on_one_cpu()?;
    let prop = stage.file(64)?;
    for _ in 0..4 {
        stage.watch(&prop, &mut || {
            prop.forget()?;
            prop.advise(libc::POSIX_FADV_WILLNEED)?;
            Ok(prop.read()?)
        })?;
    }
    Ok(Stage::remove(&prop)?)
}

pub(super) fn forget(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    stage.watch(&prop, &mut || Ok(prop.forget()?))?;
    Ok(Stage::remove(&prop)?)
}

pub(super) fn forget_written(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    // What was written has buffers, or other private data, that must be released first.
    prop.file.write_all_at(&[1; FEW * PAGE_SIZE], 0)?;
    prop.file.sync_all()?;
    stage.watch(&prop, &mut || Ok(prop.forget()?))?;
    Ok(Stage::remove(&prop)?)
}

pub(super) fn write(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    stage.watch(&prop, &mut || {
        prop.file.write_all_at(&[1; 2 * PAGE_SIZE], 0)?;
        Ok(prop.file.sync_all()?)
    })?;
    Ok(Stage::remove(&prop)?)
}

pub(super) fn writeback(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    stage.watch(&prop, &mut || {
        prop.file.write_all_at(&[1; 2 * PAGE_SIZE], 0)?;
        let flags = libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        // SAFETY: numbers only.
        check(unsafe { libc::sync_file_range(prop.file.as_raw_fd(), 0, 0, flags) })?;
        Ok(())
    })?;
    Ok(Stage::remove(&prop)?)
}

pub(super) fn truncate(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    let mapping = prop.map(Access::Read)?;
    stage.watch(&prop, &mut || {
        mapping.read_all();
        Ok(prop.file.set_len(PAGE_SIZE as u64 + 100)?)
    })?;
    drop(mapping);
    Ok(Stage::remove(&prop)?)
}

pub(super) fn punch_hole(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    stage.watch(&prop, &mut || {
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // Half of the first page to half of the third.
        let (from, length) = (2048, 8192);
        // SAFETY: numbers only.
        check(unsafe { libc::fallocate(prop.file.as_raw_fd(), mode, from, length) })
            .map_err(|error| Stop::Cannot(format!("the filesystem punches no holes: {error}")))
    })?;
    Ok(Stage::remove(&prop)?)
}

pub(super) fn unlink(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    let armed = stage.arm(&prop)?;
    Stage::remove(&prop)?;
    // With the last descriptor the inode and its pages go.
    drop(prop);
    stage.end(&armed);
    Ok(())
}

pub(super) fn splice(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let mut prop = stage.file(FEW)?;
    let (mut out, pipe) = pipe()?;
    let length = prop.bytes;
    let mut source = prop.file.try_clone()?;
    source.rewind()?;
    stage.watch(&prop, &mut || {
        let (from, to) = (source.as_raw_fd(), pipe.as_raw_fd());
        // SAFETY: open descriptors; no offsets, so that none are written.
        let moved = unsafe {
            libc::splice(
                from,
                std::ptr::null_mut(),
                to,
                std::ptr::null_mut(),
                length,
                0,
            )
        };
        if moved <= 0 {
            return Err(io::Error::last_os_error().into());
        }
        let mut bytes = vec![0; usize::try_from(moved).unwrap_or(0)];
        Ok(out.read_exact(&mut bytes)?)
    })?;
    prop.file.flush()?;
    Ok(Stage::remove(&prop)?)
}

fn pipe() -> io::Result<(File, File)> {
    let (read, write) = std::io::pipe()?;
    Ok((
        File::from(std::os::fd::OwnedFd::from(read)),
        File::from(std::os::fd::OwnedFd::from(write)),
    ))
}

pub(super) fn direct_over_cache(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let source = stage.file(FEW)?;
    let prop = stage.file(FEW)?;
    let direct = no_direct(prop.direct())?;
    let mapping = source.map(Access::Read)?;
    mapping.read_all();
    stage.watch(&prop, &mut || transfer(&direct, &mapping, prop.bytes, true))?;
    drop(mapping);
    Stage::remove(&source)?;
    Ok(Stage::remove(&prop)?)
}

pub(super) fn direct_from_mapping(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    let other = stage.file(FEW)?;
    let direct = no_direct(other.direct())?;
    let mapping = prop.map(Access::Read)?;
    mapping.read_all();
    stage.watch(&prop, &mut || transfer(&direct, &mapping, prop.bytes, true))?;
    drop(mapping);
    Stage::remove(&other)?;
    Ok(Stage::remove(&prop)?)
}

pub(super) fn direct_into_mapping(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let prop = stage.file(FEW)?;
    let other = stage.file(FEW)?;
    let direct = no_direct(other.direct())?;
    let mapping = prop.map(Access::SharedWrite)?;
    stage.watch(&prop, &mut || {
        transfer(&direct, &mapping, prop.bytes, false)?;
        Ok(prop.file.sync_all()?)
    })?;
    drop(mapping);
    Stage::remove(&other)?;
    Ok(Stage::remove(&prop)?)
}

fn no_direct(opened: io::Result<File>) -> Result<File, Stop> {
    opened.map_err(|error| Stop::Cannot(format!("the filesystem takes no O_DIRECT: {error}")))
}

fn transfer(
    direct: &File,
    mapping: &super::mapping::Mapping,
    bytes: usize,
    write: bool,
) -> Result<(), Stop> {
    let descriptor = direct.as_raw_fd();
    // SAFETY: the buffer is a mapping of that many bytes.
    let moved = unsafe {
        if write {
            libc::pwrite(descriptor, mapping.pointer(), bytes, 0)
        } else {
            libc::pread(descriptor, mapping.pointer(), bytes, 0)
        }
    };
    if moved < 0 {
        return Err(Stop::Cannot(format!(
            "direct I/O with a mapping of a file: {}",
            io::Error::last_os_error()
        )));
    }
    Ok(())
}

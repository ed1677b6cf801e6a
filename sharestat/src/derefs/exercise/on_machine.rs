//! Steps that go through the memory management of the whole machine.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    mapping::Access,
    stage::{Stage, Stop},
};

const FEW: usize = 4;

fn needs_permission(stage: &Stage<'_>, what: &str) -> Result<(), Stop> {
    if stage.disruptive {
        Ok(())
    } else {
        Err(Stop::Cannot(format!("{what}: needs --disruptive")))
    }
}

/// Writes to a file of `/proc` or `/sys` that may be missing.
fn tell(path: &Path, words: &str) -> Result<(), Stop> {
    match fs::write(path, words) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Stop::Cannot(format!("there is no '{}'", path.display())))
        }
        Err(error) => Err(Stop::Cannot(format!(
            "cannot write '{}': {error}",
            path.display()
        ))),
    }
}

pub(super) fn drop_caches(stage: &mut Stage<'_>) -> Result<(), Stop> {
    needs_permission(stage, "drops all clean caches")?;
    let prop = stage.file(FEW)?;
    stage.watch(&prop, &mut || {
        tell(Path::new("/proc/sys/vm/drop_caches"), "1")
    })?;
    Ok(Stage::remove(&prop)?)
}

pub(super) fn compact(stage: &mut Stage<'_>) -> Result<(), Stop> {
    needs_permission(stage, "compacts all memory")?;
    let prop = stage.file(64)?;
    stage.watch(&prop, &mut || {
        tell(Path::new("/proc/sys/vm/compact_memory"), "1")
    })?;
    Ok(Stage::remove(&prop)?)
}

/// A control group of our own, removed when dropped.
struct Group {
    path: PathBuf,
}

impl Group {
    fn new() -> Result<Self, Stop> {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let Some(root) = roots
            .into_iter()
            .find(|root| root.join("cgroup.controllers").exists())
        else {
            return Err(Stop::Cannot("no cgroup v2 is mounted".to_owned()));
        };
        // Refused where it is on already, or the controller belongs to version 1.
        let _ = fs::write(root.join("cgroup.subtree_control"), "+memory");
        let path = root.join(format!("sharestat-exercise-{}", std::process::id()));
        fs::create_dir(&path)
            .map_err(|error| Stop::Cannot(format!("cannot make '{}': {error}", path.display())))?;
        let group = Self { path };
        if group.path.join("memory.reclaim").exists() {
            Ok(group)
        } else {
            Err(Stop::Cannot(
                "cgroup v2 has no memory controller here".to_owned(),
            ))
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Busy while a task is in it; then it stays, empty and harmless.
        let _ = fs::remove_dir(&self.path);
    }
}

pub(super) fn memcg_reclaim(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let group = Group::new()?;
    let prop = stage.file(FEW)?;
    // Who brings a page into the cache is charged for it.
    prop.forget()?;
    let procs = std::ffi::CString::new(
        group
            .path
            .join("cgroup.procs")
            .into_os_string()
            .into_encoded_bytes(),
    )
    .map_err(io::Error::other)?;
    super::on_memory::in_child(&|| {
        enter(&procs);
        if let Ok(mapping) = prop.map(Access::Read) {
            mapping.read_all();
        }
    })?;
    let reclaim = group.path.join("memory.reclaim");
    stage.watch(&prop, &mut || {
        // The kernel says EAGAIN when it got less than asked for, which is more than there is.
        match fs::write(&reclaim, "16M") {
            Ok(()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    })?;
    Ok(Stage::remove(&prop)?)
}

/// Moves the calling process into the group; allocates nothing, for use after fork.
fn enter(procs: &std::ffi::CStr) {
    // SAFETY: a path and a constant text; a failure leaves the process where it is.
    unsafe {
        let descriptor = libc::open(procs.as_ptr(), libc::O_WRONLY);
        if descriptor >= 0 {
            libc::write(descriptor, c"0".as_ptr().cast(), 1);
            libc::close(descriptor);
        }
    }
}

pub(super) fn idle_tracking(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let bitmap = Path::new("/sys/kernel/mm/page_idle/bitmap");
    if !bitmap.exists() {
        return Err(Stop::Cannot(format!("there is no '{}'", bitmap.display())));
    }
    let prop = stage.file(FEW)?;
    let mapping = prop.map(Access::Read)?;
    mapping.read_all();
    let frames = super::stage::frames_at(mapping.address(), FEW)?;
    stage.watch(&prop, &mut || {
        use std::os::unix::fs::FileExt as _;
        let file = fs::OpenOptions::new().read(true).write(true).open(bitmap)?;
        for frame in &frames {
            let at = frame / 64 * 8;
            file.write_all_at(&(1_u64 << (frame % 64)).to_ne_bytes(), at)?;
            file.read_exact_at(&mut [0; 8], at)?;
        }
        Ok(())
    })?;
    drop(mapping);
    Ok(Stage::remove(&prop)?)
}

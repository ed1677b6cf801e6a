//! Mounts that end with the case.

use std::{
    ffi::CString,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    mount::{MountFlags, UnmountFlags, mount, unmount},
};

use crate::harness::{OrFail, Skip};

/// A mounted filesystem; dropping it unmounts.
pub(crate) struct Mount {
    target: PathBuf,
}

impl Mount {
    /// Mounts `source` on `target` (created when missing).
    ///
    /// A kernel without the filesystem is a reason to skip; every other error fails.
    pub(crate) fn new(
        source: &Path,
        target: &Path,
        fs_type: &str,
        read_only: bool,
        options: &str,
    ) -> Result<Self, Skip> {
        fs::create_dir_all(target).or_fail(format_args!("making '{}'", target.display()));
        let flags = if read_only {
            MountFlags::RDONLY
        } else {
            MountFlags::empty()
        };
        let options = CString::new(options).or_fail("mount options");
        match mount(source, target, fs_type, flags, options.as_c_str()) {
            Ok(()) => Ok(Self::adopt(target)),
            Err(Errno::NODEV) => Err(Skip(format!("this kernel has no {fs_type}"))),
            Err(error) => panic!(
                "mounting {fs_type} '{}' on '{}' with {options:?}: {error}",
                source.display(),
                target.display()
            ),
        }
    }

    /// Takes over what somebody else mounted on `target`.
    pub(crate) fn adopt(target: &Path) -> Self {
        Self {
            target: target.to_owned(),
        }
    }

    /// An overlay of `lowers` (topmost first) and an upper directory. Copies whole
    /// files up, so that the plan stays simple.
    pub(crate) fn overlay(
        target: &Path,
        lowers: &[&Path],
        upper: &Path,
        work: &Path,
    ) -> Result<Self, Skip> {
        for directory in [upper, work] {
            fs::create_dir_all(directory).or_fail(format_args!("making '{}'", directory.display()));
        }
        let lowers: Vec<_> = lowers
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let options = format!(
            "lowerdir={},upperdir={},workdir={},metacopy=off",
            lowers.join(":"),
            upper.display(),
            work.display()
        );
        Self::new(Path::new("overlay"), target, "overlay", false, &options)
    }

    /// Where it is mounted.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Unmounts now and says when it cannot.
    pub(crate) fn unmount(self) {
        let target = self.target.clone();
        std::mem::forget(self);
        if let Err(error) = unmount_patiently(&target) {
            // Leave nothing behind even when the case fails here.
            let _ = unmount(&target, UnmountFlags::DETACH);
            panic!("unmounting '{}': {error}", target.display());
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if unmount_patiently(&self.target).is_err() {
            // Busy, perhaps because the case panicked: out of sight at least.
            let _ = unmount(&self.target, UnmountFlags::DETACH);
        }
    }
}

/// A child that is just ending may keep the filesystem busy for a moment.
fn unmount_patiently(target: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match unmount(target, UnmountFlags::empty()) {
            Ok(()) => return Ok(()),
            Err(Errno::BUSY) if tries < 20 => {
                tries += 1;
                thread::sleep(Duration::from_millis(100));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

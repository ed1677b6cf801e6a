//! Block devices to put filesystems on: spare disks in a guest, loop devices elsewhere.

use std::{
    env, fs,
    io::{self, Seek as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::{
    harness::{OrFail, Skip},
    scratch::Scratch,
};

/// Enough for the smallest filesystem that every `mkfs.xfs` makes.
const BYTES: u64 = 512 << 20;

/// A block device of one case; dropping it gives it back.
pub(crate) struct Disk {
    device: PathBuf,
    lent: bool,
}

impl Disk {
    /// A device without a filesystem.
    pub(crate) fn blank(scratch: &Scratch, name: &str) -> Result<Self, Skip> {
        if let Some(device) = borrow()? {
            let disk = Self { device, lent: true };
            disk.wipe();
            return Ok(disk);
        }
        let image = scratch.unseen(name);
        let file = fs::File::create_new(&image).or_fail("making a disk image");
        file.set_len(BYTES).or_fail("sizing a disk image");
        attach(&image)
    }

    /// A device with the content of `image`.
    pub(crate) fn of_image(image: &Path) -> Result<Self, Skip> {
        let Some(device) = borrow()? else {
            return attach(image);
        };
        let disk = Self { device, lent: true };
        disk.wipe();
        let mut from = fs::File::open(image).or_fail("opening an image");
        let mut to = disk.open();
        io::copy(&mut from, &mut to).or_fail("copying an image to a disk");
        to.sync_all().or_fail("writing an image to a disk");
        Ok(disk)
    }

    /// A loop device over `image`, also where there are other disks.
    pub(crate) fn looped(image: &Path) -> Result<Self, Skip> {
        attach(image)
    }

    /// Its device node.
    pub(crate) fn device(&self) -> &Path {
        &self.device
    }

    fn open(&self) -> fs::File {
        fs::OpenOptions::new()
            .write(true)
            .open(&self.device)
            .or_fail(format_args!("opening '{}'", self.device.display()))
    }

    /// Removes the superblocks of earlier cases (all lie in the first 128 KiB).
    fn wipe(&self) {
        let mut device = self.open();
        device.rewind().or_fail("seeking a disk");
        device
            .write_all(&vec![0; 128 << 10])
            .and_then(|()| device.sync_all())
            .or_fail("wiping a disk");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.lent {
            spare_disks().push(std::mem::take(&mut self.device));
        } else {
            // Cannot be reported from here; the next case takes another loop device.
            let _ = Command::new("losetup").arg("-d").arg(&self.device).status();
        }
    }
}

fn attach(image: &Path) -> Result<Disk, Skip> {
    let output = Command::new("losetup")
        .args(["--find", "--show"])
        .arg(image)
        .output()
        .map_err(|error| Skip(format!("'losetup' does not run: {error}")))?;
    if !output.status.success() {
        return Err(Skip(format!(
            "no loop device: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    let device = String::from_utf8_lossy(&output.stdout).trim().into();
    Ok(Disk {
        device,
        lent: false,
    })
}

/// `None` where no disks are listed at all, so that loop devices must do.
fn borrow() -> Result<Option<PathBuf>, Skip> {
    if env::var_os("SHARESTAT_SCRATCH_DISKS").is_none() {
        return Ok(None);
    }
    match spare_disks().pop() {
        Some(disk) => Ok(Some(disk)),
        None => Err(Skip("no scratch disk is free".to_owned())),
    }
}

fn spare_disks() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    static SPARE: OnceLock<Mutex<Vec<PathBuf>>> = OnceLock::new();
    SPARE
        .get_or_init(|| {
            let listed = env::var("SHARESTAT_SCRATCH_DISKS").unwrap_or_default();
            Mutex::new(
                listed
                    .split(':')
                    .filter(|disk| !disk.is_empty())
                    .map(PathBuf::from)
                    .collect(),
            )
        })
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

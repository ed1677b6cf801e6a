//! A digest that the filesystem keeps decides which files are equal as a whole, also where
//! nothing of them is cached; one that anybody can write decides nothing.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd as _, AsRawFd as _},
    path::Path,
    process::Command,
};

use rustix::fs::{Advice, fadvise};

use crate::{
    binary,
    corpus::{self, PAGE, Page, PlannedFile},
    disk::Disk,
    erofs_images,
    harness::{Engine, OrFail, Outcome, not_here, per_engine},
    mount::Mount,
    report::Report,
    residency,
    scratch::Scratch,
};

per_engine!(
    fs_verity_decides,
    an_attribute_decides_when_only_root_can_set_it
);

const PAGES: u64 = 64;
/// Where files that begin alike differ: nothing from here on is cached.
const CUT: u64 = 32;
const TRIES: usize = 5;

/// Scans until all that is resident could be hashed.
#[track_caller]
fn settled(engine: Engine, directory: &Path, stage: impl Fn() -> bool) -> Report {
    for _ in 0..TRIES {
        if stage() {
            let report = binary::scan(engine, directory);
            let count = |name: &str| report.number(&format!("/coverage/{name}_pages"));
            if count("resident") == count("hashed") && stage() {
                return report;
            }
        }
    }
    panic!("in {TRIES} tries the stage was not set")
}

/// `struct fsverity_enable_arg` (include/uapi/linux/fsverity.h).
#[repr(C)]
struct EnableVerity {
    version: u32,
    algorithm: u32,
    block_size: u32,
    salt_size: u32,
    salt: u64,
    signature_size: u32,
    reserved: u32,
    signature: u64,
    more: [u64; 11],
}

/// `_IOW('f', 133, struct fsverity_enable_arg)`.
const FS_IOC_ENABLE_VERITY: libc::c_ulong = 0x4080_6685;
const SHA256: u32 = 1;

fn enable_verity(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let argument = EnableVerity {
        version: 1,
        algorithm: SHA256,
        block_size: 4096,
        salt_size: 0,
        salt: 0,
        signature_size: 0,
        reserved: 0,
        signature: 0,
        more: [0; 11],
    };
    // SAFETY: the kernel reads the structure that it is given.
    let answer =
        unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_ENABLE_VERITY, &raw const argument) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn plans(end: u64) -> [PlannedFile; 2] {
    let begin = (101..101 + PAGES - 1).map(Page::Content);
    [
        PlannedFile::counting("equal", 1, PAGES),
        PlannedFile::new("like", begin.chain([Page::Content(end)])),
    ]
}

/// Two layers with files of digests: one file in both, and two that are cached alike.
fn fs_verity_decides(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let disk = Disk::blank(&scratch, "verity.disk")?;
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F", "-b", "4096", "-O", "verity"])
        .arg(disk.device())
        .output()
        .or_fail("running mkfs.ext4");
    assert!(made.status.success(), "mkfs.ext4: {made:?}");
    let root = scratch.directory("files");
    let base = Mount::new(disk.device(), &root, "ext4", false, "")?;
    let layers = ["one", "two"].map(|name| root.join(name));
    let plans = [plans(9001), plans(9002)];
    for (layer, plan) in layers.iter().zip(&plans) {
        fs::create_dir(layer).or_fail("making a layer");
        corpus::write_all(plan, layer);
        for file in plan {
            match enable_verity(&layer.join(&file.names[0])) {
                Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                    not_here("this kernel has no fs-verity");
                    return Ok(());
                }
                result => result.or_fail("enabling fs-verity"),
            }
        }
    }
    let [target, upper, work] = ["mount", "upper", "work"].map(|name| root.join(name));
    let lowers = layers.each_ref().map(std::path::PathBuf::as_path);
    let overlay = Mount::overlay(&target, &lowers, &upper, &work)?;
    let stage = || {
        layers.iter().zip(&plans).all(|(layer, plan)| {
            corpus::read_all(plan, layer);
            let file = File::open(layer.join("like")).or_fail("opening a file");
            let length = std::num::NonZeroU64::new((PAGES - CUT) * PAGE as u64);
            fadvise(file.as_fd(), CUT * PAGE as u64, length, Advice::DontNeed)
                .or_fail("dropping pages");
            let cached = |name: &str| {
                let pages = residency::cached_pages(&layer.join(name));
                pages.iter().filter(|is| **is).count() as u64
            };
            cached("equal") == PAGES && cached("like") == CUT
        })
    };
    let report = settled(engine, &root, stage);
    let bytes = |pages: u64| pages * PAGE as u64;
    // The beginnings are equal pages, and their files are not.
    assert_eq!(report.saving("offset"), bytes(PAGES + CUT), "{report:?}");
    assert_eq!(report.saving("erofs"), bytes(PAGES), "{report:?}");
    assert_eq!(report.confidence("erofs"), "exact", "{report:?}");
    overlay.unmount();
    base.unmount();
    Ok(())
}

fn an_attribute_decides_when_only_root_can_set_it(engine: Engine) -> Outcome {
    for (name, confidence) in [
        ("trusted.example.digest", "exact"),
        ("user.example.digest", "probable"),
    ] {
        let scratch = Scratch::new();
        let plan = [PlannedFile::counting("file", 1, PAGES)];
        let mut mounted = Vec::new();
        for image in ["one", "two"] {
            let made = erofs_images::make(&scratch, image, &plan, Some(name))?;
            let disk = Disk::of_image(&made)?;
            let target = scratch.directory(image);
            mounted.push((Mount::new(disk.device(), &target, "erofs", true, "")?, disk));
        }
        let stage = || {
            mounted.iter().all(|(mount, _)| {
                corpus::read_all(&plan, mount.target());
                residency::all_cached(&plan, mount.target(), true)
            })
        };
        let report = settled(engine, &scratch.path(), stage);
        assert_eq!(report.saving("erofs"), PAGES * PAGE as u64, "{name}");
        assert_eq!(report.confidence("erofs"), confidence, "{name}");
    }
    Ok(())
}

//! Files deeper than a path can be long are found, and those that are deeper than anybody
//! follows are counted all the same.

use std::{
    fs::{self, File},
    io::Read as _,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, unlinkat};
use serde_json::Value;

use crate::{
    binary,
    corpus::{self, PAGE, PlannedFile},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, per_engine},
    scratch::Scratch,
};

per_engine!(
    a_path_of_4000_bytes_is_whole,
    a_path_of_many_directories_is_whole
);

/// The user engine opens files by path, and says what it could not open.
mod deeper {
    use crate::harness::bpf_only;

    bpf_only!(a_path_that_is_cut_loses_no_byte);
    use super::a_path_that_is_cut_loses_no_byte;
}

const PAGES: u64 = 20;

/// Makes `levels` directories of this name in one another; the innermost, open.
fn dive(top: &Path, name: &str, levels: usize) -> OwnedFd {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = OwnedFd::from(File::open(top).or_fail("opening a directory"));
    for _ in 0..levels {
        mkdirat(&at, name, Mode::RWXU).or_fail("making a directory");
        at = openat(&at, name, flags, Mode::empty()).or_fail("opening a directory");
    }
    at
}

/// Puts a file of [`PAGES`] pages into a directory; cached, written and open.
fn place(filesystem: &Filesystem, directory: &OwnedFd) -> File {
    let plan = PlannedFile::counting("file", 1, PAGES);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
    let file = openat(directory.as_fd(), "file", flags, Mode::RUSR).or_fail("making a file");
    let mut file = File::from(file);
    for index in 0..plan.pages.len() {
        plan.write_page(&file, index);
    }
    corpus::sync(filesystem.root());
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).or_fail("reading a file");
    assert_eq!(bytes.len() as u64, PAGES * PAGE as u64);
    file
}

fn is_whole(engine: Engine, name: &str, levels: usize) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "files")?;
    // Not the root of the filesystem, below which everything is.
    let below = filesystem.root().join("below");
    fs::create_dir(&below).or_fail("making a directory");
    let directory = dive(&below, name, levels);
    let _open = place(&filesystem, &directory);
    let report = binary::scan(engine, &below);
    let end = format!("/below{}/file", format!("/{name}").repeat(levels));
    let found = report.only_file(&end);
    assert_eq!(found["resident_bytes"], PAGES * PAGE as u64, "{found}");
    assert_eq!(report.number("/identity/unresolved_bytes"), 0);
    Ok(())
}

fn a_path_of_4000_bytes_is_whole(engine: Engine) -> Outcome {
    is_whole(engine, &"d".repeat(199), 19)
}

fn a_path_of_many_directories_is_whole(engine: Engine) -> Outcome {
    is_whole(engine, "d", 300)
}

fn a_path_that_is_cut_loses_no_byte(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "files")?;
    let below = filesystem.root().join("below");
    fs::create_dir(&below).or_fail("making a directory");
    let directory = dive(&below, &"e".repeat(250), 40);
    let _open = place(&filesystem, &directory);
    let bytes = PAGES * PAGE as u64;
    let check = |deleted: bool| {
        let report = binary::scan(engine, &below);
        let found = report.only_file("e/file");
        assert_eq!(found["resident_bytes"], bytes, "{found}");
        assert_eq!(found["deleted"] == Value::Bool(true), deleted, "{found}");
        let path = found["path"].as_str().unwrap_or("");
        assert!(path.contains("/.../e"), "{path}");
        assert_eq!(report.number("/identity/unresolved_bytes"), bytes);
        assert!(report.notes().contains("8192 bytes"), "{}", report.notes());
    };
    check(false);
    unlinkat(&directory, "file", AtFlags::empty()).or_fail("deleting a file");
    check(true);
    Ok(())
}

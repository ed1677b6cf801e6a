//! Files that no directory lists are named as far as the kernel knows a name, and their
//! pages are counted.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::MetadataExt as _,
};

use crate::{
    binary,
    corpus::{PAGE, PlannedFile},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, bpf_only},
    scratch::Scratch,
};
use rustix::fs::{MemfdFlags, memfd_create};

bpf_only!(
    a_file_in_memory_has_its_name,
    a_deleted_open_file_has_its_name,
    a_file_that_the_kernel_has_no_name_for_has_its_number,
);

const PAGES: usize = 40;

fn a_file_in_memory_has_its_name(engine: Engine) {
    let descriptor = memfd_create("truth-of-names", MemfdFlags::CLOEXEC).or_fail("memfd_create");
    let mut file = File::from(descriptor);
    let content = vec![7; PAGES * PAGE];
    file.write_all(&content).or_fail("writing");
    // It lies below no directory, so the whole machine is looked at.
    let report = binary::finish(binary::whole_machine_command(engine)).report();
    let found = report.only_file(" memfd:truth-of-names");
    assert_eq!(found["resident_bytes"], PAGES * PAGE);
}

fn a_deleted_open_file_has_its_name(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = PlannedFile::counting("gone", 1, PAGES as u64);
    let filesystem =
        Filesystem::with_files(Kind::Ext4, &scratch, "files", std::slice::from_ref(&plan))?;
    let path = filesystem.root().join("gone");
    let opened = File::open(&path).or_fail("opening");
    plan.read(filesystem.root());
    fs::remove_file(&path).or_fail("deleting");
    let report = binary::scan(engine, filesystem.root());
    let found = report.only_file("/files/gone");
    assert_eq!(found["resident_bytes"], PAGES * PAGE);
    assert_eq!(found["deleted"], true, "{found}");
    drop(opened);
    Ok(())
}

/// Its directory entries are dropped; its pages, and so the inode, stay.
fn a_file_that_the_kernel_has_no_name_for_has_its_number(engine: Engine) -> Outcome {
    const TRIES: usize = 5;
    let scratch = Scratch::new();
    let plan = PlannedFile::counting("nameless", 1, PAGES as u64);
    let filesystem =
        Filesystem::with_files(Kind::Ext4, &scratch, "files", std::slice::from_ref(&plan))?;
    let path = filesystem.root().join("nameless");
    let ino = fs::metadata(&path).or_fail("asking for a number").ino();
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        plan.read(filesystem.root());
        fs::write("/proc/sys/vm/drop_caches", "2").or_fail("dropping directory entries");
        let report = binary::finish(binary::whole_machine_command(engine)).report();
        let shown = format!("ext4:{ino}");
        let rows = report.list("files").iter();
        let of_it: Vec<_> = rows
            .filter(|row| row["ino"] == ino && row["path"] == shown.as_str())
            .filter(|row| row["resident_bytes"] == PAGES * PAGE)
            .collect();
        match of_it[..] {
            [] => seen.push(report.summary()),
            [row] => {
                assert_ne!(row["deleted"], true, "{row}");
                return Ok(());
            }
            _ => panic!("it is there several times: {of_it:?}"),
        }
    }
    panic!("'ext4:{ino}' is not shown: {seen:?}")
}

//! What the kernel or the user's privileges lack is refused by name, and a measurement
//! with a gap ends as `--strict` promises.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::bad_input::{hide, small};
use crate::{
    binary,
    corpus::PlannedFile,
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, bpf_only},
    report::Report,
    residency,
    scratch::Scratch,
};

bpf_only!(
    without_one_capability,
    damaged_btf,
    a_gap_is_a_failure_under_strict,
);

/// (number, name): include/uapi/linux/capability.h.
const CAPABILITIES: [(libc::c_ulong, &str); 3] =
    [(21, "CAP_SYS_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF")];

fn without_one_capability(engine: Engine) {
    let scratch = Scratch::new();
    let (root, _) = small(&scratch);
    for (number, name) in CAPABILITIES {
        let mut command = binary::scan_command(engine, &root);
        let drop_it = move || {
            // SAFETY: a system call without pointers.
            match unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: one system call between fork and exec. What root may not inherit from
        // the bounding set it lacks after exec (capabilities(7)).
        unsafe { command.pre_exec(drop_it) };
        let run = binary::finish(command);
        run.assert_refused(3, &[name]);
        for (_, other) in CAPABILITIES.iter().filter(|(_, other)| *other != name) {
            let missing = format!("missing {other}");
            assert!(!run.stderr.contains(&missing), "{other} is there: {run:?}");
        }
    }
}

fn damaged_btf(engine: Engine) {
    const BTF: &str = "/sys/kernel/btf/vmlinux";
    let scratch = Scratch::new();
    let (root, _) = small(&scratch);
    let whole = fs::read(BTF).or_fail("reading the kernel's types");
    let cases: [(&str, Vec<u8>, &str); 4] = [
        (
            "without-a-member",
            rename(&whole, "i_generation"),
            "i_generation",
        ),
        (
            "without-a-flag",
            rename(&whole, "PG_writeback"),
            "PG_writeback",
        ),
        ("cut", whole[..whole.len() / 2].to_vec(), "BTF"),
        ("garbage", b"\x7fELF and then nothing".to_vec(), "BTF"),
    ];
    for (name, bytes, word) in cases {
        let file = scratch.file(name);
        fs::write(&file, bytes).or_fail("writing types");
        let mut command = binary::scan_command(engine, &root);
        hide(&mut command, &file, BTF);
        let run = binary::finish(command);
        run.assert_refused(4, &[word]);
    }
}

/// The same types, with one name turned into another of the same length.
fn rename(types: &[u8], name: &str) -> Vec<u8> {
    let wanted = [b"\0", name.as_bytes(), b"\0"].concat();
    let mut types = types.to_vec();
    let mut found = 0;
    for start in 0..types.len() - wanted.len() {
        if types[start..].starts_with(&wanted) {
            types[start + 1] = b'?';
            found += 1;
        }
    }
    assert!(found > 0, "the kernel's types name '{name}'");
    types
}

/// A ring of one page, and more happening than it holds.
fn a_gap_is_a_failure_under_strict(engine: Engine) -> Outcome {
    const TRIES: usize = 20;
    let scratch = Scratch::new();
    let plan: Vec<_> = (0..400)
        .map(|number| PlannedFile::counting(&format!("file-{number}"), number, 2))
        .collect();
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let root = filesystem.root();
    let scan = || {
        let mut command = binary::scan_command(engine, root);
        command.args(["--strict", "--ring-bytes", "4096"]);
        binary::finish(command)
    };
    let over = AtomicBool::new(false);
    let gap = thread::scope(|scope| {
        scope.spawn(|| churn(&plan, root, &over));
        let found = (0..TRIES).any(|_| {
            let run = scan();
            let report = Report::parse(&run.stdout);
            let expected = if report.complete() { 0 } else { 5 };
            assert_eq!(run.status.code(), Some(expected), "{run:?}");
            !report.complete()
        });
        over.store(true, Ordering::Relaxed);
        found
    });
    assert!(gap, "{TRIES} scans lost no event in a ring of one page");
    Ok(())
}

fn churn(plan: &[PlannedFile], root: &Path, over: &AtomicBool) {
    let paths: Vec<PathBuf> = plan.iter().map(|file| root.join(&file.names[0])).collect();
    while !over.load(Ordering::Relaxed) {
        for (file, path) in plan.iter().zip(&paths) {
            file.read(root);
            residency::forget(path);
        }
    }
}

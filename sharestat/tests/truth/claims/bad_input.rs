//! What the user, the machine or the neighbour gets wrong ends in a sentence and the
//! right exit code.

use std::{
    ffi::{CString, OsStr},
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _, fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    binary, calm,
    corpus::{self, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, per_engine},
    report::Report,
    scratch::Scratch,
};

per_engine!(
    without_root,
    without_btf,
    path_that_is_no_directory,
    garbage_arguments,
    closed_stdout,
    report_into_a_file,
    two_at_once
);

const NOBODY: u32 = 65534;

pub(super) fn small(scratch: &Scratch) -> (PathBuf, Vec<PlannedFile>) {
    let plan = vec![
        PlannedFile::counting("one", 1, 30),
        PlannedFile::counting("two", 11, 30),
    ];
    let root = scratch.directory("small");
    corpus::write_all(&plan, &root);
    corpus::read_all(&plan, &root);
    (root, plan)
}

/// The same command as a user without any privilege.
fn as_nobody(mut command: Command, scratch: &Scratch) -> Command {
    let copy = scratch.file("sharestat");
    if !copy.exists() {
        fs::copy(binary::path(), &copy).or_fail("copying the binary to where all may run it");
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).or_fail("chmod");
    }
    let arguments: Vec<_> = command.get_args().map(OsStr::to_owned).collect();
    command = Command::new(copy);
    command
        .args(arguments)
        .uid(NOBODY)
        .gid(NOBODY)
        .current_dir("/");
    command
}

fn without_root(engine: Engine) {
    let scratch = Scratch::new();
    let (root, plan) = small(&scratch);
    let scan = || as_nobody(binary::scan_command(engine, &root), &scratch);
    let words = [
        "root",
        "CAP_BPF",
        "CAP_SYS_ADMIN",
        "sudo",
        "permission",
        "owner",
    ];
    binary::finish(scan()).assert_refused(3, &words);
    if engine == Engine::User {
        // Own files need no privilege: there mincore tells the truth.
        for file in &plan {
            chown(root.join(&file.names[0]), Some(NOBODY), Some(NOBODY)).or_fail("chown");
        }
        agree(&root, &plan, || binary::finish(scan()).report());
    }
}

fn without_btf(engine: Engine) {
    let scratch = Scratch::new();
    let (root, plan) = small(&scratch);
    fs::write(scratch.file("nothing"), "").or_fail("making an empty file");
    let mut command = binary::scan_command(engine, &root);
    hide(
        &mut command,
        &scratch.file("nothing"),
        "/sys/kernel/btf/vmlinux",
    );
    let run = binary::finish(command);
    match engine {
        Engine::Bpf => run.assert_refused(4, &["BTF"]),
        Engine::User => {
            let expected = Expected::of(&Observed::all(&plan, &root));
            run.report().assert_equals(&expected, "needs no BTF");
        }
    }
}

/// Lets the child see `cover` in the place of `path`, in a mount namespace of its own.
pub(super) fn hide(command: &mut Command, cover: &Path, path: &str) {
    let c_string = |bytes: &[u8]| CString::new(bytes).or_fail("a path");
    let cover = c_string(cover.as_os_str().as_bytes());
    let path = c_string(path.as_bytes());
    let act = move || {
        // SAFETY: system calls with valid strings or null, as they allow.
        let done = unsafe {
            let null = std::ptr::null();
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(
                    null,
                    c"/".as_ptr(),
                    null,
                    libc::MS_REC | libc::MS_PRIVATE,
                    null.cast(),
                ) == 0
                && libc::mount(
                    cover.as_ptr(),
                    path.as_ptr(),
                    null,
                    libc::MS_BIND,
                    null.cast(),
                ) == 0
        };
        if done {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: between fork and exec only system calls are made; the strings exist already.
    unsafe { command.pre_exec(act) };
}

fn path_that_is_no_directory(engine: Engine) {
    let scratch = Scratch::new();
    let file = scratch.file("file");
    fs::write(&file, "text").or_fail("making a file");
    let odd = PathBuf::from(OsStr::from_bytes(b"/no such\xff\ndirectory"));
    for (path, word) in [
        (scratch.file("missing"), "missing"),
        (file.clone(), "not a directory"),
        (file.join("below"), "below"),
        (odd, "no such"),
        (PathBuf::from("/dev/null"), "/dev/null"),
    ] {
        binary::finish(binary::scan_command(engine, &path)).assert_refused(2, &[word]);
    }
    // A link to a directory is as good as the directory.
    let (root, plan) = small(&scratch);
    let link = scratch.file("link");
    std::os::unix::fs::symlink(&root, &link).or_fail("making a link");
    agree(&root, &plan, || binary::scan(engine, &link));
}

fn garbage_arguments(engine: Engine) {
    let scan = ["scan", "--engine", engine.name()];
    for more in [
        &["--format", "nonsense"] as &[&str],
        &["--top", "-1"],
        &["--top", "99999999999999999999"],
        &["--seed", "x"],
        &["--no-such-option"],
        &["surplus"],
        &["--path", ""],
        &["--path"],
    ] {
        let run = binary::finish(binary::command(scan.iter().chain(more)));
        run.assert_refused(
            2,
            &[
                "usage",
                "invalid",
                "unexpected",
                "required",
                "cannot",
                "--help",
            ],
        );
    }
    binary::finish(binary::command(["no-such-command"])).assert_refused(2, &["no-such-command"]);
    let nonsense = ["scan", "--engine", "nonsense"];
    binary::finish(binary::command(nonsense)).assert_refused(2, &["nonsense"]);
}

/// `sharestat scan | true`.
fn closed_stdout(engine: Engine) {
    let scratch = Scratch::new();
    let (root, _) = small(&scratch);
    for format in ["text", "json", "ndjson", "csv"] {
        let (reader, writer) = io::pipe().or_fail("making a pipe");
        drop(reader);
        let mut command =
            binary::command(["scan", "-q", "--format", format, "--engine", engine.name()]);
        command.arg("--path").arg(&root).stdout(writer);
        let output = command
            .stderr(std::process::Stdio::piped())
            .output()
            .or_fail("running a scan");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{format}: {} {stderr}",
            output.status
        );
        assert!(
            !stderr.contains("panicked") && !stderr.to_lowercase().contains("pipe"),
            "{stderr}"
        );
    }
}

fn report_into_a_file(engine: Engine) {
    let scratch = Scratch::new();
    let (root, plan) = small(&scratch);
    let output = scratch.file("report.json");
    agree(&root, &plan, || {
        let mut command = binary::scan_command(engine, &root);
        command.arg("-o").arg(&output);
        let run = binary::finish(command);
        assert!(run.status.success() && run.stdout.is_empty(), "{run:?}");
        Report::parse(&fs::read(&output).or_fail("reading the report"))
    });
    let mut command = binary::scan_command(engine, &root);
    command.arg("-o").arg("/no/such/directory/report.json");
    let run = binary::finish(command);
    assert!(
        !run.status.success() && run.stderr.contains("/no/such/directory"),
        "{run:?}"
    );
}

fn two_at_once(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = corpus::every_kind();
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let start = || binary::Running::start(binary::scan_command(engine, filesystem.root()));
    calm::reports_agree(
        || {
            let both = [start(), start()];
            both.map(|scan| scan.finish().report()).into()
        },
        || filesystem.cache(&plan),
        || Expected::of(&Observed::all(&plan, filesystem.root())),
        |_| true,
    );
    Ok(())
}

/// The report of `look` is that of these files.
#[track_caller]
fn agree(root: &Path, plan: &[PlannedFile], look: impl Fn() -> Report) {
    calm::reports_agree(
        || vec![look()],
        || corpus::read_all(plan, root),
        || Expected::of(&Observed::all(plan, root)),
        |expected| (expected.resident, expected.duplicate) == (60, 20),
    );
}

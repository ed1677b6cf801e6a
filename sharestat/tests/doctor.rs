//! `sharestat doctor` on the machine that the tests run on.

mod skip;

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, Output},
};

use serde_json::Value;
use sharestat::kernel::doctor::{Area, Doctor, State, examine};
use skip::skipped;

/// A user without any privilege.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn in_guest() -> bool {
    std::env::var_os("SHARESTAT_GUEST").is_some_and(|value| value == "1")
}

fn state_of<'d>(doctor: &'d Doctor, name: &str) -> (State, &'d str) {
    let finding = doctor
        .findings
        .iter()
        .find(|finding| finding.name == name)
        .unwrap_or_else(|| panic!("no line about '{name}'"));
    (finding.state, &finding.found)
}

/// Descriptors of BPF maps, programs and links that this process holds.
fn bpf_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("descriptors can be listed")
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|target| target.to_string_lossy().contains("bpf"))
        .count()
}

/// One test, because it counts the descriptors of the whole process.
#[test]
fn as_root_the_engine_is_proven_and_nothing_stays_loaded() {
    if !is_root() || !sharestat::kernel::object::is_embedded() {
        skipped("needs root and a build with BPF programs");
        return;
    }
    let doctor = examine();
    assert_eq!(bpf_descriptors(), 0, "nothing stays loaded");
    assert_eq!(doctor.exit_code(), 0, "{}", doctor.to_text(120));
    for name in [
        "CAP_BPF",
        "BTF",
        "layout fields",
        "ring buffer",
        "bpf_loop",
        "test run",
        "calibration",
        "proof",
        "mincore",
        "mm_filemap_add_to_page_cache",
        "mm_filemap_delete_from_page_cache",
        "writeback_dirty_folio",
    ] {
        assert_eq!(state_of(&doctor, name).0, State::Ok, "{name}");
    }
    for (name, kind) in [
        ("__remove_mapping", "fentry"),
        ("filemap_add_folio", "fexit"),
        ("shmem_add_to_page_cache", "fexit"),
    ] {
        let (state, found) = state_of(&doctor, name);
        match state {
            State::Ok => assert_eq!(found, kind, "{name}"),
            // The kernels of guests take all of them.
            _ if in_guest() => panic!("{name} is {state:?}: {found}"),
            // A kernel that has the function and takes no trampoline refuses by policy.
            _ => assert_eq!(
                (state, found),
                (
                    State::Degraded,
                    "no: the kernel's policy refuses trampolines (EPERM)"
                ),
                "{name}"
            ),
        }
    }
    assert_eq!(
        doctor
            .findings
            .iter()
            .filter(|finding| finding.area == Area::Hooks)
            .count(),
        6
    );
}

fn run_as_nobody(arguments: &[&str]) -> Output {
    let program =
        std::env::var_os("SHARESTAT_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_sharestat").into());
    if !is_root() {
        return Command::new(program)
            .args(arguments)
            .output()
            .expect("the program starts");
    }
    // A copy where others may execute it, whatever directory the build is in.
    let directory = tempfile::tempdir_in("/tmp").expect("a directory");
    let copy = directory.path().join("sharestat");
    std::fs::copy(&program, &copy).expect("the program is copied");
    let open = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
            .expect("permissions are set");
    };
    open(directory.path());
    open(&copy);
    Command::new(&copy)
        .uid(NOBODY)
        .gid(NOBODY)
        .args(arguments)
        .output()
        .expect("the copy starts")
}

#[test]
fn without_privileges_it_names_them_and_exits_with_3() {
    if !sharestat::kernel::object::is_embedded() {
        skipped("needs a build with BPF programs");
        return;
    }
    let output = run_as_nobody(&["doctor", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    assert_eq!(json["schema"], "sharestat.doctor/v1");
    let scan = &json["verdict"]["abilities"][0];
    assert_eq!(scan["ability"], "scan");
    assert_eq!(scan["works"], false);
    assert_eq!(
        scan["blocked_by"],
        serde_json::json!(["CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN"])
    );
}

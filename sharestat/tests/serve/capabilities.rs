//! The capabilities that `contrib/kubernetes/daemonset.yaml` asks for: `serve` and `scan`
//! measure with these and no others, and each of them is there for something.

use std::{
    fs, io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;
use yaml_rust2::YamlLoader;

use super::{
    BYTES, PAGES, cannot_run, measured,
    served::{Served, binary, duplicates},
};
use crate::skip::skipped;

const DAEMON_SET: &str = include_str!("../../../contrib/kubernetes/daemonset.yaml");

/// Only for the names of layers that are mounted elsewhere.
const FOR_NAMES: &str = "SYS_PTRACE";

/// What the daemon set adds to nothing, as Kubernetes writes it: without `CAP_`.
fn added() -> Vec<String> {
    let documents = YamlLoader::load_from_str(DAEMON_SET).expect("YAML");
    let kind = |kind: &str| {
        documents
            .iter()
            .find(|one| one["kind"].as_str() == Some(kind))
    };
    let set = kind("DaemonSet").expect("there is one");
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let capabilities = &container["securityContext"]["capabilities"];
    assert_eq!(capabilities["drop"][0].as_str(), Some("ALL"));
    let names = capabilities["add"].as_vec().expect("a list");
    names
        .iter()
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect()
}

/// Their bits: include/uapi/linux/capability.h.
fn bits(capabilities: &[String]) -> u64 {
    let bit = |name: &String| match name.as_str() {
        "SYS_PTRACE" => 1 << 19,
        "SYS_ADMIN" => 1 << 21,
        "PERFMON" => 1 << 38,
        "BPF" => 1_u64 << 39,
        other => panic!("'{other}' is new: what is it for?"),
    };
    capabilities.iter().map(bit).fold(0, |all, bit| all | bit)
}

/// prctl(2) with a number.
fn control(option: libc::c_int, number: libc::c_ulong) -> io::Result<()> {
    let none: libc::c_ulong = 0;
    // SAFETY: these options take no pointer.
    match unsafe { libc::prctl(option, number, none, none, none) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// sharestat as root with these capabilities only, as a container runtime starts it: what
/// root may not take from the bounding set it lacks after exec (capabilities(7)).
fn with(capabilities: &[String]) -> Command {
    let kept = bits(capabilities);
    let limit = move || {
        for number in (0..64).filter(|number| kept & (1 << number) == 0) {
            match control(libc::PR_CAPBSET_DROP, number) {
                // The kernel does not know numbers beyond its last one.
                Err(error) if error.raw_os_error() != Some(libc::EINVAL) => return Err(error),
                _ => {}
            }
        }
        control(libc::PR_SET_NO_NEW_PRIVS, 1)
    };
    let mut command = Command::new(binary());
    // SAFETY: system calls alone between fork and exec.
    unsafe { command.pre_exec(limit) };
    command
}

/// The effective set of a process.
fn effective(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let mut lines = status.lines();
    let set = lines.find_map(|line| line.strip_prefix("CapEff:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.expect("a set")
}

fn without(all: &[String], left_out: &str) -> Vec<String> {
    let mut rest = all.to_vec();
    rest.retain(|name| name != left_out);
    assert_eq!(rest.len() + 1, all.len(), "{left_out} is one of {all:?}");
    rest
}

fn scan(capabilities: &[String], data: &Path) -> Output {
    // A host may have reclaimed some of the pages on its own account.
    for file in fs::read_dir(data).expect("a directory") {
        fs::read(file.expect("a file").path()).expect("it reads");
    }
    let mut command = with(capabilities);
    command
        .args(["scan", "--format", "json", "--path"])
        .arg(data)
        .stdin(Stdio::null());
    command.output().expect("it starts")
}

fn cannot_limit() -> bool {
    const SETPCAP: u64 = 1 << 8;
    let able = effective("self") & SETPCAP != 0;
    if !able {
        skipped("without CAP_SETPCAP root cannot take anything from its bounding set");
    }
    !able
}

#[track_caller]
fn scanned(run: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{stderr}");
    let report: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!(report["measurement"]["engine"], "bpf");
    assert_eq!(report["coverage"]["hashed_pages"], 2 * PAGES, "{stderr}");
    assert_eq!(report["totals"]["duplicate_bytes"], BYTES, "{stderr}");
    report
}

#[test]
fn the_capabilities_of_the_daemon_set_suffice() {
    if cannot_run() || cannot_limit() {
        return;
    }
    let data = duplicates(PAGES);
    let all = added();
    scanned(&scan(&all, data.path()));
    let served = Served::start_by(with(&all), data.path(), &["--every", "200ms"]);
    measured(&served);
    assert_eq!(effective(&served.pid().to_string()), bits(&all));
    let (status, words) = served.end(Signal::TERM);
    assert_eq!((status.code(), words.as_str()), (Some(0), ""));
}

#[test]
fn each_capability_of_the_daemon_set_is_needed_or_names_layers() {
    if cannot_run() || cannot_limit() {
        return;
    }
    let data = duplicates(PAGES);
    let all = added();
    for name in all.iter().filter(|name| *name != FOR_NAMES) {
        let run = scan(&without(&all, name), data.path());
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(3), "without {name}: {stderr}");
        assert!(run.stdout.is_empty(), "without {name}: {run:?}");
        let named = stderr.contains(&format!("missing CAP_{name}: "));
        assert!(named, "without {name}: {stderr}");
    }
    // Without the last one everything is measured.
    scanned(&scan(&without(&all, FOR_NAMES), data.path()));
}

//! What is said about the start: by the BPF programs when they are asked to log, and by
//! `doctor` where the kernel lacks something.

use std::fs;

use serde_json::Value;

use super::bad_input::{hide, small};
use crate::{
    binary,
    harness::{Engine, OrFail, bpf_only},
    scratch::Scratch,
};

bpf_only!(
    the_programs_log_when_asked,
    doctor_without_types_ends_with_4
);

fn the_programs_log_when_asked(engine: Engine) {
    let scratch = Scratch::new();
    let (root, _) = small(&scratch);
    let said = |more: &[&str]| {
        let mut command = binary::scan_command(engine, &root);
        command.arg("-q").args(more);
        let run = binary::finish(command);
        assert!(run.report().complete(), "{run:?}");
        run.stderr
    };
    let info = said(&["--bpf-log", "info"]);
    assert!(
        info.lines()
            .any(|line| line.starts_with("sharestat: bpf info: calibrate: ")),
        "the calibration says what it found: {info}"
    );
    for level in ["off", "error"] {
        let words = said(&["--bpf-log", level]);
        assert!(!words.contains("bpf info"), "{level}: {words}");
    }
}

fn doctor_without_types_ends_with_4(_: Engine) {
    let scratch = Scratch::new();
    let cover = scratch.file("nothing");
    fs::write(&cover, "").or_fail("making an empty file");
    let mut command = binary::command(["doctor", "--format", "json"]);
    hide(&mut command, &cover, "/sys/kernel/btf/vmlinux");
    let run = binary::finish(command);
    assert_eq!(run.status.code(), Some(4), "{run:?}");
    let document: Value = serde_json::from_slice(&run.stdout).or_fail("reading JSON");
    assert_eq!(document["verdict"]["exit_code"], 4, "{document}");
    let abilities = document["verdict"]["abilities"].as_array();
    let scan = abilities
        .into_iter()
        .flatten()
        .find(|ability| ability["ability"] == "scan");
    let scan = scan.unwrap_or_else(|| panic!("nothing about scan: {document}"));
    assert_eq!(scan["works"], false, "{scan}");
    let blockers = scan["blocked_by"].to_string();
    assert!(blockers.contains("\"BTF\""), "{blockers}");
    assert!(
        !blockers.contains("CAP_"),
        "no privilege is missing: {blockers}"
    );
}

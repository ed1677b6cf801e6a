//! `derefs` where it cannot measure: it says why, and who is in the way.

use std::{
    fs, io,
    os::fd::{FromRawFd as _, OwnedFd},
};

use aya_obj::generated::{HW_BREAKPOINT_LEN_8, HW_BREAKPOINT_W, perf_event_attr};

use crate::{
    binary,
    harness::{Engine, OrFail as _, Outcome, Skip, bpf_only},
    scratch::Scratch,
};

bpf_only!(
    holders_of_the_debug_registers_are_named,
    results_that_cannot_be_compared_are_refused,
);

/// A word that this process never writes while it is watched.
static UNTOUCHED: u64 = 0;

/// A breakpoint on all tasks of one CPU.
fn hold(cpu: i32) -> io::Result<OwnedFd> {
    // SAFETY: integers and unions of integers, for which zero is a value.
    let mut attributes: perf_event_attr = unsafe { std::mem::zeroed() };
    attributes.type_ = 5; // PERF_TYPE_BREAKPOINT
    attributes.size = u32::try_from(size_of::<perf_event_attr>()).or_fail("a small size");
    attributes.bp_type = HW_BREAKPOINT_W;
    attributes.__bindgen_anon_3.bp_addr = &raw const UNTOUCHED as u64;
    attributes.__bindgen_anon_4.bp_len = u64::from(HW_BREAKPOINT_LEN_8);
    // SAFETY: the attributes outlive the call and tell their size; the rest are numbers.
    let event = unsafe {
        libc::syscall(libc::SYS_perf_event_open, &raw const attributes, -1, cpu, -1, 8)
    };
    match i32::try_from(event) {
        // SAFETY: a new descriptor that nobody else owns.
        Ok(event) if event >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(event) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn holders_of_the_debug_registers_are_named(_: Engine) -> Outcome {
    let mut held = Vec::new();
    // One CPU is enough: a word is watched on all of them or not at all.
    for _ in 0..4 {
        held.push(hold(0).map_err(|error| Skip(format!("no debug registers: {error}")))?);
    }
    let scratch = Scratch::new();
    let place = scratch.path();
    fs::write(place.join("file"), [1; 4096]).or_fail("writing a file");
    let place = place.to_str().expect("a plain path");
    let watch = ["derefs", "watch", "--path", place, "--duration", "2s"];
    let run = binary::finish(binary::command(watch));
    assert_eq!(run.status.code(), Some(4), "{run:?}");
    let own = format!("({})", std::process::id());
    assert!(
        run.stderr.contains("all debug registers are taken") && run.stderr.contains(&own),
        "{run:?}"
    );
    // With one of four free, it makes do with that.
    held.pop();
    let run = binary::finish(binary::command(watch));
    assert!(run.status.success(), "{run:?}");
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(text.contains("1 folios at a time"), "{text}");
    Ok(())
}

fn results_that_cannot_be_compared_are_refused(_: Engine) {
    let scratch = Scratch::new();
    let file = |name: &str, content: &str| {
        let path = scratch.path().join(name);
        fs::write(&path, content).or_fail("writing a file");
        path.to_str().expect("a plain path").to_owned()
    };
    let other = file("other.json", r#"{"schema": "sharestat.report/v1"}"#);
    let none = file("none.json", "no JSON at all");
    for path in [&other, &none, &"/nowhere/at/all.json".to_owned()] {
        let run = binary::finish(binary::command(["derefs", "diff", path, path]));
        assert_eq!(run.status.code(), Some(2), "{run:?}");
        assert!(run.stderr.contains(&**path) && run.stdout.is_empty(), "{run:?}");
    }
    let list = file(
        "list.json",
        r#"{"release": "1.0", "build_id": "00", "text_start": 1, "sites": []}"#,
    );
    let run = binary::finish(binary::command([
        "derefs", "watch", "--sites", &list, "--duration", "1s",
    ]));
    assert!(matches!(run.status.code(), Some(2 | 4)), "{run:?}");
    assert!(!run.stderr.is_empty() && run.stdout.is_empty(), "{run:?}");
    let run = binary::finish(binary::command(["derefs", "sites", &none]));
    assert!(!run.status.success() && run.stderr.contains("neither an ELF vmlinux"), "{run:?}");
}

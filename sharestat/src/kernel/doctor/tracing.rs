//! Ways to watch code of the kernel, which `derefs` uses and nothing else needs.

use std::path::Path;

use super::{
    breakpoint,
    finding::{Area, Finding, Lack, State, Use},
};

const AREA: Area = Area::Tracing;

pub(super) fn examine() -> Vec<Finding> {
    vec![
        kprobes(Path::new("/sys/bus/event_source/devices/kprobe").is_dir()),
        breakpoints(breakpoint::hits()),
    ]
}

/// The perf event source `kprobe` is there whenever kprobes are built in, whether tracefs
/// is mounted or not (kernel/events/core.c).
fn kprobes(there: bool) -> Finding {
    if there {
        return Finding::ok(AREA, "kprobes", "built into this kernel").needed_by(&[Use::Derefs]);
    }
    Finding::new(
        AREA,
        "kprobes",
        State::Degraded,
        "not built into this kernel",
    )
    .needed_by(&[Use::Derefs])
    .loss("'derefs' samples by hardware breakpoints instead of counting every call")
    .remedy("a kernel with CONFIG_KPROBES=y")
}

fn breakpoints(hits: std::io::Result<u64>) -> Finding {
    let name = "hardware breakpoints";
    let needed_by = [Use::Derefs];
    let lost = |found: String| {
        Finding::new(AREA, name, State::Missing, found)
            .loss("'derefs' cannot watch 'folio->mapping'")
            .needed_by(&needed_by)
    };
    match hits {
        Ok(breakpoint::WRITES) => Finding::ok(
            AREA,
            name,
            "debug registers work: each write of a watched variable was counted",
        )
        .needed_by(&needed_by),
        Ok(other) => lost(format!(
            "opened, but {other} of {} writes of a watched variable were counted",
            breakpoint::WRITES
        ))
        .remedy("a hypervisor that passes debug registers on to its guests")
        .lack(Lack::Support),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            lost(format!("perf_event_open failed: {error}"))
                .remedy("run with sudo, or outside of a container that filters perf_event_open")
                .lack(Lack::Privilege)
        }
        Err(error) => lost(format!("perf_event_open failed: {error}"))
            .remedy(
                "a kernel with CONFIG_HAVE_HW_BREAKPOINT, on a machine with a free debug register",
            )
            .lack(Lack::Support),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breakpoints_that_open_and_never_fire_are_missing() {
        assert_eq!(breakpoints(Ok(breakpoint::WRITES)).state, State::Ok);
        assert_eq!(breakpoints(Ok(0)).state, State::Missing);
        let refused = breakpoints(Err(std::io::ErrorKind::PermissionDenied.into()));
        assert_eq!(refused.lack, Some(Lack::Privilege));
    }

    #[test]
    fn a_breakpoint_counts_or_says_why_not() {
        match breakpoint::hits() {
            Ok(hits) => assert!(hits <= breakpoint::WRITES),
            Err(error) => assert!(error.raw_os_error().is_some(), "{error}"),
        }
    }
}

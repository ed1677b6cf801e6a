//! Version and policy of the kernel: what it was built as, and what it was told to refuse.

use std::{fs, io, path::Path};

use super::finding::{Area, Finding, Lack, State, Use};

const AREA: Area = Area::Kernel;

/// Kernels that the tests run on, first and last.
const TESTED: [(u32, u32); 2] = [(6, 1), (7, 3)];

/// Where the lockdown module tells its level, once securityfs is mounted.
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

pub(super) fn examine(release: &str) -> Vec<Finding> {
    vec![
        version(release),
        lockdown(fs::read_to_string(LOCKDOWN)),
        setting("kptr_restrict", kptr_restrict),
        setting("perf_event_paranoid", perf_event_paranoid),
    ]
}

/// Major and minor number of a release such as `6.12.107-cloud-amd64`.
fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|letter: char| !letter.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn version(release: &str) -> Finding {
    let name = "kernel version";
    let [first, last] = TESTED;
    match numbers(release) {
        Some(version) if (first..=last).contains(&version) => Finding::ok(
            AREA,
            name,
            format!("{release}, in the tested range 6.1 to 7.3"),
        ),
        Some(version) => Finding::new(
            AREA,
            name,
            State::Degraded,
            format!(
                "{release}, {} than the tested range 6.1 to 7.3",
                if version < first { "older" } else { "newer" }
            ),
        )
        .loss("nobody has shown that results are right here; the start-up proof still guards them")
        .remedy("compare 'scan' with 'scan --engine user' once"),
        None => Finding::new(
            AREA,
            name,
            State::Degraded,
            format!("'{release}' has no version number in front"),
        ),
    }
}

/// Level `confidentiality` forbids reading kernel memory in BPF programs; `integrity` does
/// not (`LOCKDOWN_BPF_READ_KERNEL`, include/linux/security.h).
fn lockdown(text: io::Result<String>) -> Finding {
    let name = "lockdown";
    let bpf = [Use::Scan, Use::Live, Use::Derefs];
    let text = match text {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::new(
                AREA,
                name,
                State::NotNeeded,
                format!(
                    "'{LOCKDOWN}' does not exist (no lockdown module, or securityfs is not mounted); \
                     whether programs load tells the rest"
                ),
            );
        }
        Err(error) => {
            return Finding::new(
                AREA,
                name,
                State::NotNeeded,
                format!("cannot read '{LOCKDOWN}': {error}; whether programs load tells the rest"),
            );
        }
    };
    let level = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map_or(text.trim(), |(level, _)| level);
    if level == "confidentiality" {
        return Finding::new(
            AREA,
            name,
            State::Missing,
            "level 'confidentiality': the kernel forbids BPF programs to read its memory",
        )
        .loss("no measurement with BPF")
        .remedy("boot with 'lockdown=integrity' or 'lockdown=none', or use '--engine user'")
        .needed_by(&bpf)
        .lack(Lack::Support);
    }
    Finding::ok(AREA, name, format!("level '{level}'")).needed_by(&bpf)
}

fn setting(name: &'static str, judge: fn(i64) -> Finding) -> Finding {
    let path = Path::new("/proc/sys/kernel").join(name);
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_or_else(
            |_| {
                Finding::new(
                    AREA,
                    name,
                    State::NotNeeded,
                    format!("'{}' is no number", text.trim()),
                )
            },
            judge,
        ),
        Err(error) => Finding::new(
            AREA,
            name,
            State::NotNeeded,
            format!("cannot read '{}': {error}", path.display()),
        ),
    }
}

/// Calibration finds addresses without symbols, so any level will do.
fn kptr_restrict(level: i64) -> Finding {
    let found = match level {
        0 => "0: addresses are not hidden from root",
        1 => "1: addresses are shown with CAP_SYSLOG",
        _ => "2: addresses are hidden from everybody; calibration does not need them",
    };
    Finding::ok(AREA, "kptr_restrict", found)
}

/// `CAP_PERFMON` overrides every level (Documentation/admin-guide/perf-security.rst).
fn perf_event_paranoid(level: i64) -> Finding {
    Finding::ok(
        AREA,
        "perf_event_paranoid",
        format!("{level}: does not bind a process with CAP_PERFMON"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tested_range_is_ok() {
        for (release, state) in [
            ("6.1.0-50-cloud-amd64", State::Ok),
            ("6.18.44", State::Ok),
            ("7.3", State::Ok),
            ("7.3.4-x", State::Ok),
            ("6.0.19", State::Degraded),
            ("5.15.0", State::Degraded),
            ("7.4.0-rc1", State::Degraded),
            ("10.0", State::Degraded),
            ("next", State::Degraded),
        ] {
            assert_eq!(version(release).state, state, "{release}");
        }
    }

    #[test]
    fn only_confidentiality_forbids_bpf() {
        let state = |text: &str| lockdown(Ok(text.to_owned())).state;
        assert_eq!(state("[none] integrity confidentiality\n"), State::Ok);
        assert_eq!(state("none [integrity] confidentiality\n"), State::Ok);
        assert_eq!(state("none integrity [confidentiality]\n"), State::Missing);
        let absent = lockdown(Err(io::ErrorKind::NotFound.into()));
        assert_eq!(absent.state, State::NotNeeded);
    }
}

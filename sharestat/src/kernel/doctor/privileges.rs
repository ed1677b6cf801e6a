//! What this process may do.

use super::{
    super::capabilities::{self, Capability},
    finding::{Area, Finding, Lack, State, Use},
};

const AREA: Area = Area::Privileges;

/// The uses that need BPF.
const WITH_BPF: [Use; 3] = [Use::Scan, Use::Live, Use::Derefs];

/// `/proc/self/uid_map` of a process outside of user namespaces.
const ALL_USERS: u64 = 4_294_967_295;

pub(super) fn examine() -> Vec<Finding> {
    let effective = capabilities::effective();
    let mut findings: Vec<_> = Capability::NEEDED
        .into_iter()
        .map(|capability| needed(capability, effective))
        .collect();
    findings.push(search(effective));
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    findings.push(namespace(&map));
    findings
}

fn has(effective: u64, capability: Capability) -> bool {
    effective & (1 << capability as u64) != 0
}

fn needed(capability: Capability, effective: u64) -> Finding {
    let purpose = match capability {
        Capability::Bpf => "create BPF maps and load BPF programs",
        Capability::Perfmon => "read kernel memory in BPF programs and open kernel breakpoints",
        Capability::SysAdmin => "see page frame numbers, which calibration starts from",
        Capability::DacReadSearch => "walk directories of other users",
    };
    if has(effective, capability) {
        return Finding::ok(AREA, capability.name(), format!("may {purpose}")).needed_by(&WITH_BPF);
    }
    Finding::new(
        AREA,
        capability.name(),
        State::Missing,
        format!("not in the effective set: may not {purpose}"),
    )
    .loss("no measurement with BPF")
    .remedy("run with sudo, or 'sudo setcap cap_bpf,cap_perfmon,cap_sys_admin+ep' on the binary")
    .needed_by(&WITH_BPF)
    .lack(Lack::Privilege)
}

fn search(effective: u64) -> Finding {
    let name = Capability::DacReadSearch.name();
    if has(effective, Capability::DacReadSearch) {
        return Finding::ok(AREA, name, "may walk directories of other users")
            .needed_by(&[Use::UserEngine]);
    }
    Finding::new(AREA, name, State::Degraded, "not in the effective set")
        .loss("'--engine user' sees only directories and files that this user may read")
        .remedy("run with sudo")
        .needed_by(&[Use::UserEngine])
}

/// Capabilities count for bpf(2) only in the initial user namespace (`bpf_capable`,
/// include/linux/capability.h), yet `/proc/self/status` shows them in any.
fn namespace(uid_map: &str) -> Finding {
    let name = "user namespace";
    let numbers: Vec<u64> = uid_map
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers.as_slice() {
        [0, 0, ALL_USERS] => Finding::ok(AREA, name, "the initial one, where capabilities count")
            .needed_by(&WITH_BPF),
        [] => Finding::new(
            AREA,
            name,
            State::Degraded,
            "'/proc/self/uid_map' says nothing",
        )
        .loss("if this is a container's user namespace, its capabilities do not count for BPF")
        .needed_by(&WITH_BPF),
        _ => Finding::new(
            AREA,
            name,
            State::Missing,
            "not the initial one: capabilities held here do not count for BPF",
        )
        .loss("no measurement with BPF")
        .remedy(
            "run on the host, or in a container without user namespace (docker '--userns=host')",
        )
        .needed_by(&WITH_BPF)
        .lack(Lack::Privilege),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_capability_is_named_and_is_a_privilege() {
        let finding = needed(Capability::Perfmon, 1 << 39);
        assert_eq!(finding.name, "CAP_PERFMON");
        assert_eq!(finding.state, State::Missing);
        assert_eq!(finding.lack, Some(Lack::Privilege));
        assert_eq!(needed(Capability::Bpf, 1 << 39).state, State::Ok);
    }

    #[test]
    fn capabilities_of_a_user_namespace_do_not_count() {
        assert_eq!(
            namespace("         0          0 4294967295\n").state,
            State::Ok
        );
        assert_eq!(
            namespace("0 1000 1\n1 100000 65536\n").state,
            State::Missing
        );
        assert_eq!(namespace("").state, State::Degraded);
    }
}

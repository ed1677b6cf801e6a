//! Ways to learn about the page cache without BPF, memory cgroups and huge pages.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
};

use memmap2::MmapOptions;
use procfs::process::{MountInfo, Process};
use rustix::fs::{MemfdFlags, memfd_create};
use sharestat_ebpf::PAGE_SIZE;

use super::{
    super::capabilities,
    finding::{Area, Finding, Lack, State, Use},
};
use crate::engine_user::cachestat::cachestat as ask_cachestat;

const AREA: Area = Area::Memory;

pub(super) fn examine() -> Vec<Finding> {
    vec![
        residency(),
        foreign_files(capabilities::effective()),
        cachestat(),
        page_flags(),
        memcg(),
        huge_pages(),
    ]
}

/// A file in memory of two pages, of which the first was written.
fn half_file() -> io::Result<File> {
    let mut file = File::from(memfd_create("sharestat-doctor", MemfdFlags::CLOEXEC)?);
    file.write_all(&[1; PAGE_SIZE])?;
    file.set_len(2 * PAGE_SIZE as u64)?;
    Ok(file)
}

fn residency() -> Finding {
    let name = "mincore";
    match half_file().and_then(|file| ask_mincore(&file)) {
        Ok([true, false]) => Finding::ok(AREA, name, "tells cached pages from others")
            .needed_by(&[Use::UserEngine]),
        Ok(answer) => Finding::new(
            AREA,
            name,
            State::Missing,
            format!("wrong about a file of which one page of two is cached: {answer:?}"),
        )
        .loss("no measurement with '--engine user'")
        .remedy("a sandbox (gVisor, a seccomp filter) may answer instead of the kernel: run outside of it")
        .needed_by(&[Use::UserEngine])
        .lack(Lack::Support),
        Err(error) => Finding::new(AREA, name, State::Missing, error.to_string())
            .loss("no measurement with '--engine user'")
            .remedy("look at the limits and the seccomp profile of this process")
            .needed_by(&[Use::UserEngine])
            .lack(Lack::Support),
    }
}

/// mincore(2) for the two pages of `file`.
fn ask_mincore(file: &File) -> io::Result<[bool; 2]> {
    // SAFETY: the file is ours alone and keeps its size while it is mapped.
    let mapping = unsafe { MmapOptions::new().len(2 * PAGE_SIZE).map(file) }?;
    let mut answer = [0_u8; 2];
    // SAFETY: the mapping is two pages long, and the kernel writes one byte for each.
    let result = unsafe {
        libc::mincore(
            mapping.as_ptr().cast_mut().cast(),
            mapping.len(),
            answer.as_mut_ptr(),
        )
    };
    if result == 0 {
        Ok(answer.map(|byte| byte & 1 == 1))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// `can_do_mincore` (mm/mincore.c) tells the truth to the owner of a file and to those
/// who may write it: with `CAP_FOWNER` (3) or `CAP_DAC_OVERRIDE` (1) to everybody.
fn foreign_files(effective: u64) -> Finding {
    let name = "files of others";
    if effective & (1 << 3 | 1 << 1) != 0 {
        return Finding::ok(
            AREA,
            name,
            "the kernel tells which of their pages are cached",
        )
        .needed_by(&[Use::UserEngine]);
    }
    Finding::new(
        AREA,
        name,
        State::Degraded,
        "neither CAP_FOWNER nor CAP_DAC_OVERRIDE: mincore calls every page of them cached",
    )
    .loss("'--engine user' measures only directories of own files, and refuses others")
    .remedy("run with sudo, or give '--path' a directory with own files")
    .needed_by(&[Use::UserEngine])
}

fn cachestat() -> Finding {
    let name = "cachestat";
    let loss = "'--engine user' asks mincore about every page of huge sparse files";
    match half_file().and_then(|file| ask_cachestat(&file, 0, 0)) {
        Ok(Some(counts)) if counts.cached == 1 => Finding::ok(AREA, name, "counts cached pages"),
        Ok(Some(counts)) => Finding::new(
            AREA,
            name,
            State::Degraded,
            format!("counts {} cached pages where there is one", counts.cached),
        )
        .loss(loss),
        Ok(None) => Finding::new(
            AREA,
            name,
            State::Degraded,
            "the kernel has none, or refuses it",
        )
        .loss(loss)
        .remedy("a kernel of 6.5 or later, or a seccomp profile that knows cachestat(2)"),
        Err(error) => Finding::new(AREA, name, State::Degraded, error.to_string()).loss(loss),
    }
}

fn page_flags() -> Finding {
    let name = "/proc/kpageflags";
    let mut flags = [0; 8];
    let read = File::open(name).and_then(|file| file.read_exact_at(&mut flags, 0));
    let loss = "'--engine user' cannot tell a page that is just being written, and may hash it half-written";
    match read {
        Ok(()) => Finding::ok(AREA, name, "readable"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::new(AREA, name, State::Degraded, "not built into this kernel")
                .loss(loss)
                .remedy("a kernel with CONFIG_PROC_PAGE_MONITOR=y")
        }
        Err(error) => Finding::new(
            AREA,
            name,
            State::Degraded,
            format!("cannot be read: {error}"),
        )
        .loss(loss)
        .remedy("run with sudo"),
    }
    .needed_by(&[Use::UserEngine])
}

fn memcg() -> Finding {
    let name = "memory cgroups";
    let mounts = Process::myself().and_then(|process| process.mountinfo());
    match mounts {
        Ok(mounts) => {
            let (one, two) = hierarchies(&mounts.0, |root| {
                fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default()
            });
            judge_memcg(one, two)
        }
        Err(error) => Finding::new(
            AREA,
            name,
            State::Degraded,
            format!("cannot read '/proc/self/mountinfo': {error}"),
        )
        .loss("pages are not counted by cgroup path"),
    }
}

/// Where a memory controller can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hierarchy {
    Absent,
    WithoutMemory,
    WithMemory,
}

/// State of cgroup v1 and v2, from mounts and the controllers of a v2 root.
fn hierarchies(
    mounts: &[MountInfo],
    controllers: impl Fn(&Path) -> String,
) -> (Hierarchy, Hierarchy) {
    let best = |found: Vec<bool>| match found.iter().max() {
        None => Hierarchy::Absent,
        Some(false) => Hierarchy::WithoutMemory,
        Some(true) => Hierarchy::WithMemory,
    };
    let of = |kind: &'static str| mounts.iter().filter(move |mount| mount.fs_type == kind);
    let one = of("cgroup").map(|mount| mount.super_options.contains_key("memory"));
    let two = of("cgroup2").map(|mount| {
        controllers(&mount.mount_point)
            .split_whitespace()
            .any(|controller| controller == "memory")
    });
    (best(one.collect()), best(two.collect()))
}

fn judge_memcg(one: Hierarchy, two: Hierarchy) -> Finding {
    let name = "memory cgroups";
    match (one, two) {
        (Hierarchy::WithMemory, Hierarchy::Absent) => Finding::ok(
            AREA,
            name,
            "v1: the memory controller is on its own hierarchy",
        ),
        (Hierarchy::WithMemory, Hierarchy::WithoutMemory | Hierarchy::WithMemory) => Finding::ok(
            AREA,
            name,
            "hybrid: v2 is mounted, the memory controller is on v1",
        ),
        (Hierarchy::Absent, Hierarchy::WithMemory) => Finding::ok(AREA, name, "v2"),
        (Hierarchy::WithoutMemory, Hierarchy::WithMemory) => Finding::ok(
            AREA,
            name,
            "hybrid: v1 is mounted, the memory controller is on v2",
        ),
        (
            Hierarchy::Absent | Hierarchy::WithoutMemory,
            Hierarchy::Absent | Hierarchy::WithoutMemory,
        ) => Finding::new(
            AREA,
            name,
            State::Degraded,
            "none: no mounted cgroup hierarchy has a memory controller",
        )
        .loss("pages are not counted by memory cgroup")
        .remedy(
            "mount cgroup2 with its memory controller, unless 'cgroup_disable=memory' is meant",
        ),
    }
}

/// Large folios need nothing of us; what is told here explains sizes of folios.
fn huge_pages() -> Finding {
    let name = "huge pages";
    let root = Path::new("/sys/kernel/mm/transparent_hugepage");
    let chosen = |file: &str| {
        fs::read_to_string(root.join(file)).ok().and_then(|text| {
            let (_, rest) = text.split_once('[')?;
            Some(rest.split_once(']')?.0.to_owned())
        })
    };
    match chosen("enabled") {
        Some(enabled) => Finding::ok(
            AREA,
            name,
            format!(
                "transparent huge pages '{enabled}', for tmpfs '{}'; large folios count page by page",
                chosen("shmem_enabled").as_deref().unwrap_or("unknown")
            ),
        ),
        None => Finding::new(
            AREA,
            name,
            State::NotNeeded,
            "no transparent huge pages; large folios of filesystems are unaffected",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(text: &str) -> Vec<MountInfo> {
        text.lines()
            .map(|line| MountInfo::from_line(line).expect("a line of mountinfo"))
            .collect()
    }

    const MEMORY: &str = "29 24 0:26 / /cg/memory rw - cgroup cgroup rw,memory";
    const CPU: &str = "30 24 0:27 / /cg/cpu rw - cgroup cgroup rw,cpu";
    const UNIFIED: &str = "31 24 0:28 / /cg/unified rw - cgroup2 cgroup2 rw";

    #[test]
    fn the_four_cgroup_layouts_are_told_apart() {
        for (lines, controllers, word) in [
            (vec![MEMORY, CPU], "", "v1"),
            (vec![UNIFIED], "cpu memory pids\n", "v2"),
            (vec![MEMORY, CPU, UNIFIED], "pids\n", "hybrid"),
            (vec![CPU, UNIFIED], "memory\n", "hybrid"),
            (vec![CPU], "", "none"),
            (vec![UNIFIED], "memory_recursiveprot\n", "none"),
            (vec![], "", "none"),
        ] {
            let (one, two) = hierarchies(&mounts(&lines.join("\n")), |_| controllers.to_owned());
            let found = judge_memcg(one, two).found;
            assert!(found.starts_with(word), "{lines:?}: {found}");
        }
    }

    #[test]
    fn only_the_owner_or_a_privilege_sees_residency_of_a_file() {
        assert_eq!(foreign_files(1 << 3).state, State::Ok);
        assert_eq!(foreign_files(1 << 1).state, State::Ok);
        assert_eq!(foreign_files(1 << 39).state, State::Degraded);
    }

    #[test]
    fn mincore_tells_the_written_page_from_the_hole() {
        let file = half_file().expect("a file in memory");
        assert_eq!(ask_mincore(&file).expect("mincore answers"), [true, false]);
    }
}

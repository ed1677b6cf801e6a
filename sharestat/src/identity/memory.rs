//! Reads what memory cgroups and the host use: `memory.stat` below the hierarchy that
//! charges memory (cgroup v1 `memory` where it is mounted, else cgroup v2), and
//! `/proc/meminfo`. Who touched a page first is charged for it, so a shared layer is
//! charged to one container only.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use procfs::{Current as _, Meminfo, process::Process};

use super::{cgroups::Cgroups, cgroups::container_of, escape::printable, mounts::MountTable};
use crate::model::{
    layers::{ContainerId, Layers},
    memory::{CgroupMemory, HostMemory, MemoryStat},
    units::Bytes,
};

/// Deeper cgroups are not looked at.
const MAX_DEPTH: usize = 16;
/// More cgroups are not noted. Reading one takes some tens of microseconds.
const MOST_CGROUPS: usize = 10_000;

/// The host now, with all its memory cgroups.
#[must_use]
pub fn host(layers: &Layers) -> HostMemory {
    let mut memory = HostMemory {
        used: Meminfo::current().ok().map(|info| used(&info)),
        own: own(),
        ..HostMemory::default()
    };
    let root = MountTable::read().ok().and_then(|mounts| root(&mounts));
    let Some(root) = root else {
        let note = "no cgroup hierarchy that charges memory is mounted: private memory of containers is not known";
        memory.notes.push(note.to_owned());
        return memory;
    };
    let mut left_out = 0_u64;
    let known = layers.containers_by_id();
    walk(&root, &known, &mut |path, directory, container| {
        if memory.cgroups.len() == MOST_CGROUPS {
            left_out += 1;
        } else if let Some(stat) = stat(directory) {
            let container = container.and_then(|container| layers.container(container));
            memory.cgroups.push(CgroupMemory {
                path: printable(path),
                container: container.map(|container| container.id.clone()),
                stat,
            });
        }
        true
    });
    if left_out > 0 {
        let note = format!("memory of {left_out} cgroups is not noted: {MOST_CGROUPS} are");
        memory.notes.push(note);
    }
    if memory.cgroups.iter().any(|one| one.stat.kernel.is_none()) {
        let note = "cgroup v1 does not say what the kernel uses for a cgroup here: private memory is without it";
        memory.notes.push(note.to_owned());
    }
    memory
}

/// What the containers use that have a cgroup now. Costs nothing where there are no
/// containers.
#[must_use]
pub fn of_containers(mounts: &MountTable, layers: &Layers) -> HashMap<ContainerId, MemoryStat> {
    if layers.containers.is_empty() {
        return HashMap::new();
    }
    root(mounts).map_or_else(HashMap::new, |root| below(&root, layers))
}

/// The same, below one directory. A container's outermost cgroup counts, which includes
/// those inside it.
fn below(root: &Path, layers: &Layers) -> HashMap<ContainerId, MemoryStat> {
    let known = layers.containers_by_id();
    let mut found: HashMap<ContainerId, MemoryStat> = HashMap::new();
    walk(root, &known, &mut |_, directory, container| {
        if let Some(container) = container
            && let Some(stat) = stat(directory)
        {
            let sum = found.entry(container).or_default();
            *sum = sum.plus(&stat);
        }
        container.is_none()
    });
    found
}

fn root(mounts: &MountTable) -> Option<PathBuf> {
    Cgroups::of(mounts).root().map(Path::to_owned)
}

/// Visits all cgroups but the root: path in the hierarchy, directory, and the container
/// whose outermost cgroup it is. Goes below those for which `visit` says so.
fn walk(
    root: &Path,
    known: &HashMap<&str, ContainerId>,
    visit: &mut dyn FnMut(&Path, &Path, Option<ContainerId>) -> bool,
) {
    let mut open: Vec<(PathBuf, usize, Option<ContainerId>)> = vec![(PathBuf::from("/"), 0, None)];
    while let Some((path, depth, inside)) = open.pop() {
        let here = root.join(path.strip_prefix("/").unwrap_or(&path));
        let container = container_of(&path, known);
        let outermost = container.filter(|_| container != inside);
        if depth > 0 && !visit(&path, &here, outermost) {
            continue;
        }
        // It may have been removed meanwhile.
        let entries = fs::read_dir(&here).into_iter().flatten().flatten();
        for entry in entries {
            if depth < MAX_DEPTH && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push((
                    path.join(entry.file_name()),
                    depth + 1,
                    container.or(inside),
                ));
            }
        }
    }
}

/// What a cgroup and those below it use; `None` without a memory controller.
fn stat(cgroup: &Path) -> Option<MemoryStat> {
    let text = fs::read_to_string(cgroup.join("memory.stat")).ok()?;
    let mut stat = MemoryStat::parse(&text).ok()?;
    if stat.kernel.is_none() {
        // cgroup v1 counts it in a file of its own, which not every kernel has.
        let counted = fs::read_to_string(cgroup.join("memory.kmem.usage_in_bytes"));
        stat.kernel = counted
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .map(Bytes);
    }
    Some(stat)
}

/// What is neither free nor pages of files; tmpfs is no page of a file here.
fn used(info: &Meminfo) -> Bytes {
    let files = info.cached.saturating_sub(info.shmem.unwrap_or(0));
    let others = [info.mem_free, info.buffers, files];
    let used = others.into_iter().fold(info.mem_total, u64::saturating_sub);
    Bytes(used)
}

/// Anonymous memory of this process.
fn own() -> Bytes {
    let status = Process::myself().and_then(|process| process.status());
    let kib = status.ok().and_then(|status| status.rssanon).unwrap_or(0);
    Bytes(kib.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::layers::{Container, Runtime};

    const ID: &str = "800bec12fb99a43bf9fa69943a466f8d396323b1e9e872c66e9a1a21b32149f1";

    fn container(id: &str) -> Container {
        Container {
            id: id.to_owned(),
            name: None,
            runtime: Runtime::Podman,
            image: None,
            image_name: None,
            pod: None,
            layers: Vec::new(),
        }
    }

    fn layers() -> Layers {
        Layers {
            containers: vec![container("other"), container(ID)],
            ..Layers::default()
        }
    }

    #[test]
    fn the_outermost_cgroup_of_a_container_counts_once() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let scope = format!("machine.slice/libpod-{ID}.scope");
        for (path, stat) in [
            ("machine.slice".to_owned(), "anon 1\nfile 999\nshmem 0\n"),
            (scope.clone(), "anon 1\nfile 40960\nshmem 2\nkernel 3\n"),
            (format!("{scope}/container"), "anon 1\nfile 4096\nshmem 0\n"),
        ] {
            let directory = root.path().join(path);
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join("memory.stat"), stat).expect("a file");
        }
        let layers = layers();
        let found = below(root.path(), &layers);
        assert_eq!(found.len(), 1);
        let stat = found[&ContainerId(1)];
        assert_eq!((stat.file, stat.private()), (Bytes(40960), Bytes(6)));
        let mut seen = Vec::new();
        walk(
            root.path(),
            &layers.containers_by_id(),
            &mut |path, _, container| {
                seen.push((printable(path), container));
                true
            },
        );
        let expected = [
            ("/machine.slice".to_owned(), None),
            (format!("/{scope}"), Some(ContainerId(1))),
            (format!("/{scope}/container"), None),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn cgroup_v1_has_the_kernel_in_a_file_of_its_own() {
        let cgroup = tempfile::tempdir().expect("a temporary directory");
        let text = "cache 1\nrss 2\ntotal_cache 8192\ntotal_rss 100\n";
        fs::write(cgroup.path().join("memory.stat"), text).expect("a file");
        let found = |cgroup: &Path| stat(cgroup).map(|stat| (stat.file, stat.private()));
        assert_eq!(found(cgroup.path()), Some((Bytes(8192), Bytes(100))));
        let counted = cgroup.path().join("memory.kmem.usage_in_bytes");
        fs::write(counted, "50\n").expect("a file");
        assert_eq!(found(cgroup.path()), Some((Bytes(8192), Bytes(150))));
        assert_eq!(found(Path::new("/no/such/cgroup")), None);
    }

    /// The kernel's own numbers: what is used and what is pages of files is not free.
    #[test]
    fn this_host_uses_what_is_not_free() {
        let memory = host(&Layers::default());
        let info = Meminfo::current().expect("/proc/meminfo");
        let used = memory.used.expect("it was read");
        assert!(used.0 > 0 && used.0 < info.mem_total, "{used}");
        assert!(memory.own.0 > 0 && memory.own <= used, "{}", memory.own);
    }
}

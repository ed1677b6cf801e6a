//! From a memory cgroup's kernfs id to its path, and from a path to the container and
//! pod it belongs to. The id is the inode number of the cgroup's directory
//! (`kernfs_ino`, include/linux/kernfs.h, 64-bit kernels since 5.5).

use std::{
    collections::{HashMap, VecDeque},
    ffi::OsStr,
    fs,
    hash::BuildHasher,
    os::unix::fs::{DirEntryExt, MetadataExt},
    path::{Path, PathBuf},
};

use super::{escape::printable, mounts::MountTable, warning::Warnings};
use crate::model::layers::ContainerId;

/// Deeper cgroups are not looked for; the kernel's own limit is far higher.
const MAX_DEPTH: usize = 64;

/// The cgroup directories of the hierarchy that charges memory.
#[derive(Clone, Debug, Default)]
pub struct Cgroups {
    root: Option<PathBuf>,
    by_id: HashMap<u64, PathBuf>,
}

impl Cgroups {
    /// The hierarchy that charges memory: cgroup v1 `memory` where it is mounted, else
    /// cgroup v2.
    #[must_use]
    pub fn of(mounts: &MountTable) -> Self {
        let whole = |fs_type: &str, option: Option<&[u8]>| {
            mounts.visible().find(|mount| {
                mount.fs_type == fs_type
                    && option.is_none_or(|wanted| {
                        mount.super_options.iter().any(|(name, _)| name == wanted)
                    })
            })
        };
        let mount = whole("cgroup", Some(b"memory")).or_else(|| whole("cgroup2", None));
        Self::at(mount.map(|mount| mount.mount_point.clone()))
    }

    /// The hierarchy mounted at a directory.
    #[must_use]
    pub fn at(root: Option<PathBuf>) -> Self {
        Self {
            root,
            by_id: HashMap::new(),
        }
    }

    /// Where the hierarchy is mounted.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Whether there is a hierarchy to look for cgroups in.
    #[must_use]
    pub const fn are_mounted(&self) -> bool {
        self.root.is_some()
    }

    /// The path of a cgroup below the root of the hierarchy, `/` for the root itself.
    /// Reads no file; see [`Self::refresh`].
    #[must_use]
    pub fn path_of(&self, id: u64) -> Option<&Path> {
        self.by_id.get(&id).map(PathBuf::as_path)
    }

    /// Walks the hierarchy. Paths of cgroups that are gone stay known: their pages may
    /// outlive them. Call it when a new id is unknown, not for each page.
    pub fn refresh(&mut self, warnings: &mut Warnings) {
        let Some(root) = self.root.clone() else {
            warnings.add(
                "no cgroup hierarchy that charges memory is mounted here",
                "mount cgroup2 at '/sys/fs/cgroup'; charges have ids instead of paths until then",
            );
            return;
        };
        match fs::metadata(&root) {
            Ok(metadata) => {
                self.by_id.insert(metadata.ino(), PathBuf::from("/"));
            }
            Err(error) => warnings.unreadable(&root, &error),
        }
        let mut open = VecDeque::from([(PathBuf::from("/"), 0)]);
        while let Some((path, depth)) = open.pop_front() {
            let below = path.strip_prefix("/").unwrap_or(&path);
            let Ok(entries) = fs::read_dir(root.join(below)) else {
                // It was removed meanwhile.
                continue;
            };
            for entry in entries.flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                let child = path.join(entry.file_name());
                self.by_id.insert(entry.ino(), child.clone());
                if depth < MAX_DEPTH {
                    open.push_back((child, depth + 1));
                } else {
                    warnings.add(
                        format!(
                            "cgroups below '{}' were not looked at: too deep",
                            printable(&child)
                        ),
                        "charges of cgroups below it have ids instead of paths",
                    );
                }
            }
        }
    }
}

/// Whose cgroup a path is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupOwner {
    /// Ids of containers in the path, the innermost first. Containers in containers have
    /// several.
    pub containers: Vec<String>,
    /// UID of the innermost Kubernetes pod.
    pub pod_uid: Option<String>,
}

/// Reads container ids and the pod UID from a cgroup path, as systemd and cgroupfs
/// drivers of Docker, Podman, CRI-O and containerd write them.
#[must_use]
pub fn owner_of(path: &Path) -> CgroupOwner {
    let mut owner = CgroupOwner::default();
    let mut parent_holds_containers = false;
    for part in path.iter().map(|part| part.to_string_lossy()) {
        let id = scope_id(&part)
            .or_else(|| (parent_holds_containers && is_long_id(&part)).then_some(&*part));
        if let Some(id) = id {
            owner.containers.insert(0, id.to_owned());
        }
        let pod = pod_uid(&part);
        parent_holds_containers = pod.is_some() || matches!(&*part, "docker" | "kubepods");
        owner.pod_uid = pod.or(owner.pod_uid);
    }
    owner
}

/// The container that a cgroup belongs to, of those that are known
/// ([`Layers::containers_by_id`](crate::model::layers::Layers::containers_by_id)): the
/// innermost one that the path names in a form of [`owner_of`], or as a part of its own
/// (`ctr` takes any name as an id).
#[must_use]
pub fn container_of<S: BuildHasher>(
    path: &Path,
    known: &HashMap<&str, ContainerId, S>,
) -> Option<ContainerId> {
    let named = owner_of(path).containers;
    let part = |part: &OsStr| known.get(part.to_str()?).copied();
    named
        .iter()
        .find_map(|id| known.get(id.as_str()).copied())
        .or_else(|| path.iter().rev().find_map(part))
}

/// `docker-ID.scope`, `libpod-ID.scope`, `crio-ID.scope`, `cri-containerd-ID.scope`,
/// `nerdctl-ID.scope`, and the same without `.scope` under the cgroupfs driver. Monitor
/// processes (`libpod-conmon-ID`, `crio-conmon-ID`) are no containers.
fn scope_id(part: &str) -> Option<&str> {
    const PREFIXES: [&str; 5] = ["docker-", "libpod-", "crio-", "cri-containerd-", "nerdctl-"];
    let name = part.strip_suffix(".scope").unwrap_or(part);
    // The form for the systemd driver, when cgroupfs got it: `SLICE:PREFIX:ID`.
    if let Some((before, id)) = name.rsplit_once(':') {
        let prefix = before.rsplit(':').next().unwrap_or(before);
        let known = PREFIXES
            .iter()
            .any(|known| known.strip_suffix('-') == Some(prefix));
        return (known && is_id(id)).then_some(id);
    }
    PREFIXES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .filter(|id| is_id(id))
}

fn is_id(id: &str) -> bool {
    id.len() >= 12 && id.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn is_long_id(id: &str) -> bool {
    id.len() == 64 && is_id(id)
}

/// `podUID`, and `kubepods-CLASS-podUID.slice` in which systemd wants `_` for `-`. Static
/// pods have 32 digits instead of a UID.
fn pod_uid(part: &str) -> Option<String> {
    let uid = match part.strip_suffix(".slice") {
        Some(slice) => {
            let (_, uid) = slice.strip_prefix("kubepods")?.rsplit_once("-pod")?;
            uid.replace('_', "-")
        }
        None => part.strip_prefix("pod")?.to_owned(),
    };
    let digits = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let plain = uid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    (plain && digits == 32).then_some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "800bec12fb99a43bf9fa69943a466f8d396323b1e9e872c66e9a1a21b32149f1";
    const UID: &str = "0f2a9d3e-1c4b-4d5e-8f60-718293a4b5c6";

    #[test]
    fn every_runtime_is_recognised() {
        let slice = UID.replace('-', "_");
        for (path, pod) in [
            (format!("/system.slice/docker-{ID}.scope"), None),
            (format!("/docker/{ID}"), None),
            (format!("/machine.slice/libpod-{ID}.scope/container"), None),
            (format!("/libpod_parent/libpod-{ID}"), None),
            (
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice/cri-containerd-{ID}.scope"
                ),
                Some(UID),
            ),
            (
                format!("/kubepods.slice/kubepods-pod{slice}.slice/crio-{ID}.scope"),
                Some(UID),
            ),
            (format!("/kubepods/besteffort/pod{UID}/{ID}"), Some(UID)),
            (format!("/system.slice:cri-containerd:{ID}"), None),
        ] {
            let owner = owner_of(Path::new(&path));
            assert_eq!(owner.containers, [ID], "{path}");
            assert_eq!(owner.pod_uid.as_deref(), pod, "{path}");
        }
    }

    #[test]
    fn what_is_no_container_has_none() {
        for path in [
            "/".to_owned(),
            "/user.slice/user-0.slice/session-1.scope".to_owned(),
            format!("/machine.slice/libpod-conmon-{ID}.scope"),
            format!("/somewhere/{ID}"),
            "/system.slice/docker-registry.service".to_owned(),
            "/podcast/x".to_owned(),
        ] {
            assert_eq!(owner_of(Path::new(&path)), CgroupOwner::default(), "{path}");
        }
    }

    #[test]
    fn a_container_in_a_container_comes_first() {
        let inner = ID.replace('8', "9");
        let owner = owner_of(Path::new(&format!("/docker/{ID}/docker/{inner}")));
        assert_eq!(owner.containers, [inner.as_str(), ID]);
    }

    #[test]
    fn the_innermost_known_container_is_charged() {
        let known = HashMap::from([(ID, ContainerId(0)), ("c0ffee", ContainerId(1))]);
        let unknown = ID.replace('8', "9");
        for (path, expected) in [
            (format!("/docker/{ID}/docker/{unknown}"), Some(0)),
            ("/k8s.io/c0ffee".to_owned(), Some(1)),
            (format!("/docker/{unknown}"), None),
        ] {
            let found = container_of(Path::new(&path), &known);
            assert_eq!(found.map(|id| id.0), expected, "{path}");
        }
    }

    #[test]
    fn directories_are_found_by_inode_and_remembered() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let child = root.path().join("a/b c");
        fs::create_dir_all(&child).expect("a directory");
        let id = fs::metadata(&child).expect("it exists").ino();
        let mut cgroups = Cgroups::at(Some(root.path().to_path_buf()));
        let mut warnings = Warnings::default();
        assert_eq!(cgroups.path_of(id), None);
        cgroups.refresh(&mut warnings);
        assert_eq!(cgroups.path_of(id), Some(Path::new("/a/b c")));
        fs::remove_dir(&child).expect("it is empty");
        cgroups.refresh(&mut warnings);
        assert_eq!(cgroups.path_of(id), Some(Path::new("/a/b c")));
        assert_eq!(warnings.into_list(), Vec::new());
    }

    #[test]
    fn memory_of_v1_wins_over_v2() {
        let table = MountTable::parse(
            b"1 0 8:1 / / rw - ext4 a rw\n2 1 0:20 / /c/cpu rw - cgroup cgroup rw,cpu\n\
              3 1 0:21 / /c/memory rw - cgroup cgroup rw,memory\n4 1 0:22 / /c/unified rw - cgroup2 cgroup2 rw\n",
        )
        .expect("the text is a mount table");
        let cgroups = Cgroups::of(&table);
        assert_eq!(cgroups.root.as_deref(), Some(Path::new("/c/memory")));
    }

    proptest! {
        #[test]
        fn any_path_has_an_answer(path in proptest::collection::vec(any::<u8>(), 0..300)) {
            let owner = owner_of(crate::identity::escape::path_of(&path));
            prop_assert!(owner.containers.iter().all(|id| is_id(id)));
        }
    }
}

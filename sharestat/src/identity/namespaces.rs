//! The mount tables of all mount namespaces that can be read, each once: a container's
//! overlay may be mounted in a namespace of its own only.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    mounts::MountTable,
    warning::{Warnings, counted},
};

/// One mount namespace.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Its inode number (`readlink /proc/PID/ns/mnt`); 0 when it cannot be told.
    pub inode: u64,
    /// Where its root is seen from here: empty for our own, else `/proc/PID/root`.
    pub seen_at: PathBuf,
    /// Its mounts.
    pub table: MountTable,
}

/// The mount namespaces, our own first.
///
/// Namespaces that cannot be read are named in a warning.
#[must_use]
pub fn read(proc: &Path, warnings: &mut Warnings) -> Vec<Namespace> {
    let mut namespaces = Vec::new();
    let own = proc.join("self");
    let own_inode = namespace_of(&own).ok();
    match read_table(&own) {
        Ok(table) => namespaces.push(Namespace {
            inode: own_inode.unwrap_or(0),
            seen_at: PathBuf::new(),
            table,
        }),
        Err(reason) => warnings.add(
            format!("cannot read the mounts of this process: {reason}"),
            "mount /proc; without it no layer is found",
        ),
    }
    let mut seen: BTreeSet<u64> = own_inode.into_iter().collect();
    let mut failed: BTreeMap<u64, (u32, String)> = BTreeMap::new();
    let mut hidden = 0_u64;
    for pid in processes(proc, warnings) {
        let directory = proc.join(pid.to_string());
        let inode = match namespace_of(&directory) {
            Ok(inode) => inode,
            Err(error) => {
                // A process that ended meanwhile is no loss.
                hidden += u64::from(error.kind() == io::ErrorKind::PermissionDenied);
                continue;
            }
        };
        if seen.contains(&inode) {
            continue;
        }
        match read_table(&directory) {
            Ok(table) => {
                seen.insert(inode);
                namespaces.push(Namespace {
                    inode,
                    seen_at: directory.join("root"),
                    table,
                });
            }
            Err(reason) => {
                failed.insert(inode, (pid, reason));
            }
        }
    }
    failed.retain(|inode, _| !seen.contains(inode));
    for (inode, (pid, reason)) in failed {
        warnings.add(
            format!("cannot read the mounts of mount namespace {inode} (process {pid}): {reason}"),
            "layers that are mounted only there have no names: run with CAP_SYS_PTRACE in the initial namespaces",
        );
    }
    if hidden > 0 {
        warnings.add(
            format!(
                "cannot tell the mount namespaces of {}: permission denied",
                counted(hidden, "process", "processes")
            ),
            "run with CAP_SYS_PTRACE in the initial user namespace, so that layers mounted only there get names",
        );
    }
    namespaces
}

/// The mounts of one process, or a sentence why not.
fn read_table(process: &Path) -> Result<MountTable, String> {
    let text = fs::read(process.join("mountinfo")).map_err(|error| error.to_string())?;
    MountTable::parse(&text).map_err(|error| error.to_string())
}

/// The number in `mnt:[4026531840]`.
fn namespace_of(process: &Path) -> io::Result<u64> {
    let link = fs::read_link(process.join("ns/mnt"))?;
    let number = link
        .to_str()
        .and_then(|text| text.strip_prefix("mnt:[")?.strip_suffix(']')?.parse().ok());
    number.ok_or_else(|| io::Error::other("it names no namespace"))
}

/// Process ids, ascending.
fn processes(proc: &Path, warnings: &mut Warnings) -> Vec<u32> {
    let entries = match fs::read_dir(proc) {
        Ok(entries) => entries,
        Err(error) => {
            warnings.unreadable(proc, &error);
            return Vec::new();
        }
    };
    let mut pids: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(proc: &Path, name: &str, namespace: u64, mountinfo: Option<&str>) {
        let directory = proc.join(name);
        fs::create_dir_all(directory.join("ns")).expect("a directory");
        std::os::unix::fs::symlink(format!("mnt:[{namespace}]"), directory.join("ns/mnt"))
            .expect("a link");
        if let Some(text) = mountinfo {
            fs::write(directory.join("mountinfo"), text).expect("a file");
        }
    }

    const ROOT: &str = "1 0 8:1 / / rw - ext4 a rw\n";

    #[test]
    fn each_namespace_is_read_once_from_a_process_that_still_lives() {
        let proc = tempfile::tempdir().expect("a temporary directory");
        process(proc.path(), "self", 1, Some(ROOT));
        process(proc.path(), "10", 1, Some(ROOT));
        process(proc.path(), "11", 2, None);
        process(proc.path(), "12", 2, Some(ROOT));
        process(proc.path(), "13", 2, Some(ROOT));
        let mut warnings = Warnings::default();
        let namespaces = read(proc.path(), &mut warnings);
        let seen: Vec<(u64, PathBuf)> = namespaces
            .into_iter()
            .map(|namespace| (namespace.inode, namespace.seen_at))
            .collect();
        assert_eq!(
            seen,
            [(1, PathBuf::new()), (2, proc.path().join("12/root"))]
        );
        assert_eq!(warnings.into_list(), Vec::new());
    }

    #[test]
    fn a_namespace_that_cannot_be_read_is_named() {
        let proc = tempfile::tempdir().expect("a temporary directory");
        process(proc.path(), "self", 1, Some(ROOT));
        process(proc.path(), "11", 77, Some("no mount\n"));
        let mut warnings = Warnings::default();
        assert_eq!(read(proc.path(), &mut warnings).len(), 1);
        let list = warnings.into_list();
        assert!(list[0].what.contains("mount namespace 77"), "{list:?}");
    }

    #[test]
    fn the_namespaces_of_this_machine_include_ours() {
        let namespaces = read(Path::new("/proc"), &mut Warnings::default());
        assert!(namespaces[0].seen_at.as_os_str().is_empty());
        assert!(!namespaces[0].table.mounts().is_empty());
    }
}

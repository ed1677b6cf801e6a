//! The mount table of this mount namespace, from `/proc/self/mountinfo`: which
//! filesystem is mounted where, which mounts can be reached, and the path under which a
//! user would type a file of a filesystem.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use procfs::process::MountInfo;

use super::escape::{decode_octal, path_of, printable};
use crate::model::{inode::Dev, measurement::Filesystem};

const SOURCE: &str = "/proc/self/mountinfo";

/// Why there is no mount table.
#[derive(Debug, thiserror::Error)]
pub enum MountsError {
    /// The file could not be read.
    #[error("cannot read '{SOURCE}': {0}; mount /proc, or look at the container's seccomp profile")]
    Read(#[source] io::Error),
    /// A line is not what `show_mountinfo` (`fs/proc_namespace.c`) prints.
    #[error("line {line} of '{SOURCE}' is not a mount: {reason}; please report it with that line")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What was expected.
        reason: String,
    },
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Mount id.
    pub id: i32,
    /// Mount id of the mount it sits on.
    pub parent: i32,
    /// `s_dev` of the superblock (of a btrfs subvolume: of the whole filesystem).
    pub dev: Dev,
    /// Directory of the filesystem that is the root of this mount.
    pub root: Vec<u8>,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Filesystem type, with subtype (`fuse.sshfs`).
    pub fs_type: String,
    /// What was mounted.
    pub source: String,
    /// Options of the superblock, in order, repeated ones kept, octal escapes decoded.
    pub super_options: Vec<(Vec<u8>, Vec<u8>)>,
    /// No later mount lies over its mount point or over a directory above it.
    pub visible: bool,
}

/// All mounts of this mount namespace.
#[derive(Clone, Debug, Default)]
pub struct MountTable {
    mounts: Vec<Mount>,
    /// Positions of the mounts of each filesystem: it is asked for every file.
    by_dev: HashMap<Dev, Vec<usize>>,
}

impl MountTable {
    /// The mounts this process sees now.
    ///
    /// # Errors
    /// When the file cannot be read or parsed.
    pub fn read() -> Result<Self, MountsError> {
        Self::parse(&fs::read(SOURCE).map_err(MountsError::Read)?)
    }

    /// The mounts in the text of a mountinfo file.
    ///
    /// # Errors
    /// When a line is not a mount.
    pub fn parse(text: &[u8]) -> Result<Self, MountsError> {
        let mut mounts = Vec::new();
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if !line.is_empty() {
                let mount = parse_line(line).map_err(|reason| MountsError::Line {
                    line: number + 1,
                    reason,
                })?;
                mounts.push(mount);
            }
        }
        mark_hidden(&mut mounts);
        let mut by_dev: HashMap<Dev, Vec<usize>> = HashMap::new();
        for (at, mount) in mounts.iter().enumerate() {
            by_dev.entry(mount.dev).or_default().push(at);
        }
        Ok(Self { mounts, by_dev })
    }

    /// All mounts, in the kernel's order.
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// The mount on which a path lies. `path` must be absolute and free of symbolic
    /// links (`fs::canonicalize`).
    #[must_use]
    pub fn filesystem_of(&self, path: &Path) -> Option<&Mount> {
        self.visible()
            .filter(|mount| path.starts_with(&mount.mount_point))
            .max_by_key(|mount| mount.mount_point.as_os_str().len())
    }

    /// Where a file of a filesystem is seen: the mount point and the whole path below
    /// it. The mount of that filesystem whose root is the longest prefix is chosen;
    /// none when no reachable mount shows the file.
    #[must_use]
    pub fn display_path(&self, dev: Dev, path_in_fs: &[u8]) -> Option<(PathBuf, PathBuf)> {
        let path_in_fs = path_of(path_in_fs);
        let mut best: Option<(&Mount, PathBuf)> = None;
        for mount in self.of_dev(dev).filter(|mount| mount.visible) {
            let Ok(below) = path_in_fs.strip_prefix(path_of(&mount.root)) else {
                continue;
            };
            if best
                .as_ref()
                .is_none_or(|(chosen, _)| mount.root.len() > chosen.root.len())
            {
                best = Some((mount, join(&mount.mount_point, below)));
            }
        }
        best.map(|(mount, path)| (mount.mount_point.clone(), path))
    }

    /// A filesystem as reports name it, by the reachable mount that shows most of it.
    /// A filesystem that is mounted nowhere here has no type and no mount point.
    #[must_use]
    pub fn filesystem(&self, dev: Dev) -> Filesystem {
        let widest = self
            .of_dev(dev)
            .filter(|mount| mount.visible)
            .min_by_key(|mount| mount.root.len());
        let any = widest.or_else(|| self.of_dev(dev).next());
        Filesystem {
            dev,
            fs_type: any.map_or_else(|| "unknown".to_owned(), |mount| mount.fs_type.clone()),
            id: any.map_or_else(|| dev.to_string(), |mount| printable(mount.source.as_ref())),
            mount_point: widest.map(|mount| printable(&mount.mount_point)),
            source: any.and_then(|mount| block_device(&mount.source)),
        }
    }

    /// Mounts of a filesystem.
    fn of_dev(&self, dev: Dev) -> impl Iterator<Item = &Mount> {
        let positions = self.by_dev.get(&dev).into_iter().flatten();
        positions.filter_map(|at| self.mounts.get(*at))
    }

    /// Mounts that a path can reach.
    pub fn visible(&self) -> impl Iterator<Item = &Mount> {
        self.mounts.iter().filter(|mount| mount.visible)
    }
}

/// The number of the block device that a mount's source names.
fn block_device(source: &str) -> Option<Dev> {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    if !source.starts_with("/dev/") {
        return None;
    }
    let metadata = fs::metadata(source).ok()?;
    let number = metadata.rdev();
    metadata
        .file_type()
        .is_block_device()
        .then(|| Dev::new(rustix::fs::major(number), rustix::fs::minor(number)))
}

/// `base/below`, without the slash that `Path::join` adds for an empty rest.
pub(crate) fn join(base: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() {
        base.to_path_buf()
    } else {
        base.join(below)
    }
}

/// One line. The crate wants text and keeps options in a map, but a path is any bytes
/// and overlayfs repeats `lowerdir+`: bytes go through it as Latin-1, and the options,
/// the last field, are taken from the line itself.
fn parse_line(line: &[u8]) -> Result<Mount, String> {
    let latin: String = line.iter().copied().map(char::from).collect();
    let parsed = MountInfo::from_line(&latin).map_err(|error| error.to_string())?;
    let options = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let dev = parse_dev(&parsed.majmin).ok_or_else(|| {
        format!(
            "'{}' is not a device number",
            parsed.majmin.escape_default()
        )
    })?;
    let source = decode_octal(&latin_bytes(
        parsed.mount_source.as_deref().unwrap_or("none"),
    ));
    let mount_point = decode_octal(&latin_bytes(&parsed.mount_point.to_string_lossy()));
    Ok(Mount {
        id: parsed.mnt_id,
        parent: parsed.pid,
        dev,
        root: decode_octal(&latin_bytes(&parsed.root)),
        mount_point: path_of(&mount_point).to_path_buf(),
        fs_type: String::from_utf8_lossy(&decode_octal(&latin_bytes(&parsed.fs_type))).into_owned(),
        source: String::from_utf8_lossy(&source).into_owned(),
        super_options: options
            .split(|byte| *byte == b',')
            .map(|option| {
                let mut parts = option.splitn(2, |byte| *byte == b'=');
                let name = decode_octal(parts.next().unwrap_or_default());
                (name, decode_octal(parts.next().unwrap_or_default()))
            })
            .collect(),
        visible: true,
    })
}

/// The bytes that a Latin-1 text stands for. Every character came from one byte.
fn latin_bytes(text: &str) -> Vec<u8> {
    text.chars()
        .filter_map(|c| u8::try_from(u32::from(c)).ok())
        .collect()
}

/// `major:minor`, within the 12 and 20 bits the kernel has for them.
fn parse_dev(text: &str) -> Option<Dev> {
    let (major, minor) = text.split_once(':')?;
    let (major, minor) = (major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?);
    (major < 1 << 12 && minor < 1 << 20).then(|| Dev::new(major, minor))
}

/// A mount is hidden when another one sits at or above its mount point without being
/// one of those it is mounted on: then path lookup ends in the other one.
///
/// Goes through the tree of mounts once, counting those on the way down by mount point:
/// tables of 100,000 mounts, all on one another, take no longer than others.
fn mark_hidden(mounts: &mut [Mount]) {
    let by_id: HashMap<i32, usize> = (0..)
        .zip(&*mounts)
        .map(|(at, mount)| (mount.id, at))
        .collect();
    let mut at_point: HashMap<&[u8], AtPoint> = HashMap::new();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); mounts.len()];
    let mut roots = Vec::new();
    for (at, mount) in mounts.iter().enumerate() {
        at_point.entry(point_of(mount)).or_default().mounts += 1;
        match by_id.get(&mount.parent) {
            Some(parent) if *parent != at => children[*parent].push(at),
            _ => roots.push(at),
        }
    }
    // Mounts that are each other's parents, as no kernel has them, have no root.
    let mut open: Vec<Step> = (0..mounts.len()).chain(roots).map(Step::Enter).collect();
    let mut seen = vec![false; mounts.len()];
    let mut visible = vec![true; mounts.len()];
    while let Some(step) = open.pop() {
        let (Step::Enter(at) | Step::Leave(at)) = step;
        let mount = &mounts[at];
        if matches!(step, Step::Leave(_)) {
            at_point.entry(point_of(mount)).or_default().beneath -= 1;
            continue;
        }
        if std::mem::replace(&mut seen[at], true) {
            continue;
        }
        at_point.entry(point_of(mount)).or_default().beneath += 1;
        visible[at] = mount
            .mount_point
            .ancestors()
            .filter_map(|point| at_point.get(point.as_os_str().as_bytes()))
            .all(|point| point.mounts == point.beneath);
        open.push(Step::Leave(at));
        open.extend(children[at].iter().copied().map(Step::Enter));
    }
    for (mount, visible) in mounts.iter_mut().zip(visible) {
        mount.visible = visible;
    }
}

/// A step through the tree of mounts.
#[derive(Clone, Copy)]
enum Step {
    Enter(usize),
    Leave(usize),
}

/// Mounts at one mount point: all of them, and those on the way to where we are.
#[derive(Default)]
struct AtPoint {
    mounts: usize,
    beneath: usize,
}

fn point_of(mount: &Mount) -> &[u8] {
    mount.mount_point.as_os_str().as_bytes()
}

#[cfg(test)]
#[path = "mounts_tests.rs"]
mod tests;

//! Who the inodes of the index are: their path from the dentry chain, shown under the
//! mount point; `fs:ino` when an inode has no name.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use sharestat_ebpf::records::{Identity, path_state};

use super::{
    error::Error,
    instrument::{Instrument, Question},
};
use crate::{
    identity::{escape::printable, mounts::MountTable, scope::Scope},
    model::{
        inode::{Dev, InodeId, InodeKey},
        keyed::KeyedMap,
        measurement::{FileIdentity, Filesystem, Identities, Place},
    },
};

impl From<&InodeKey> for Question {
    fn from(key: &InodeKey) -> Self {
        Self {
            inode: key.address,
            ino: key.ino,
            dev: key.dev.0,
            generation: key.generation,
        }
    }
}

/// Path from the root of the filesystem, from the names that the identity program found
/// on the way up; without a leading slash for a file in memory, which is in no directory;
/// `None` when there is no name.
pub(super) fn path_in_fs(identity: &Identity) -> Option<Vec<u8>> {
    if identity.path_state == path_state::NONE {
        return None;
    }
    let used = (identity.path_bytes as usize).min(identity.path.len());
    let names = identity.path.get(..used)?.split(|byte| *byte == 0);
    let names: Vec<&[u8]> = names.filter(|name| !name.is_empty()).collect();
    if identity.path_state == path_state::DETACHED {
        return names.first().map(|name| name.to_vec());
    }
    let cut = identity.path_state == path_state::CUT;
    let mut path = Vec::with_capacity(used + 4);
    if cut {
        path.extend_from_slice(b"/...");
    }
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    Some(path)
}

fn text_of(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or(&[])).into_owned()
}

/// Names inodes, and decides which are to be measured.
pub(super) struct Names {
    mounts: MountTable,
    /// `None`: everything.
    scope: Option<Scope>,
    filesystems: HashMap<Dev, usize>,
    /// What was decided for inodes seen under a scope.
    decided: KeyedMap<InodeKey, bool>,
    paths: Vec<PathBuf>,
    /// Devices seen so far; a new one means that something was mounted.
    devices: HashSet<Dev>,
}

impl Names {
    /// Reads the mounts; with `paths`, restricts the measurement to what is below them.
    pub(super) fn new(paths: &[PathBuf]) -> Result<Self, Error> {
        let mounts = MountTable::read().map_err(|error| Error::Mounts {
            reason: error.to_string(),
        })?;
        let scope = if paths.is_empty() {
            None
        } else {
            Some(Scope::below(&mounts, paths)?)
        };
        Ok(Self {
            mounts,
            scope,
            filesystems: HashMap::new(),
            decided: KeyedMap::default(),
            paths: paths.to_vec(),
            devices: HashSet::new(),
        })
    }

    /// What the user should know about how the paths were understood.
    pub(super) fn notes(&self) -> Vec<String> {
        self.scope
            .as_ref()
            .map(|scope| scope.notes.clone())
            .unwrap_or_default()
    }

    /// Whether all that was asked for can be reached.
    pub(super) fn complete(&self) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.complete)
    }

    /// Whether there is a restriction at all.
    pub(super) fn restricted(&self) -> bool {
        self.scope.is_some()
    }

    /// Whether `key` is to be measured, `None` when it was not asked yet (`decide`).
    pub(super) fn wanted(&self, key: &InodeKey) -> Option<bool> {
        if self.scope.is_none() {
            Some(true)
        } else {
            self.decided.get(key).copied()
        }
    }

    /// Decides for inodes that were not seen before.
    pub(super) fn decide(
        &mut self,
        instrument: &Instrument,
        keys: &[InodeKey],
    ) -> Result<(), Error> {
        self.notice_devices(keys.iter().map(|key| key.dev));
        let Some(scope) = &self.scope else {
            return Ok(());
        };
        let devs: Vec<Dev> = scope.roots.iter().map(|root| root.dev).collect();
        let (asked, other): (Vec<&InodeKey>, Vec<&InodeKey>) =
            keys.iter().partition(|key| devs.contains(&key.dev));
        self.decided
            .extend(other.into_iter().map(|key| (*key, false)));
        let questions: Vec<Question> = asked.iter().map(|key| Question::from(*key)).collect();
        let decided = &mut self.decided;
        instrument.identify(&questions, &mut |number, identity| {
            if let Some(key) = asked.get(number) {
                // A path means the files below it: directories and devices may have pages
                // of their own, which belong to no file.
                let inside = identity.valid == 1
                    && identity.mode & FILE_TYPE == REGULAR
                    && path_in_fs(identity).is_some_and(|path| scope.contains(key.dev, &path));
                decided.insert(**key, inside);
            }
        })
    }

    /// Reads the mounts again when a device appears that was not there before: something
    /// was mounted, perhaps below one of the paths.
    fn notice_devices(&mut self, devices: impl Iterator<Item = Dev>) {
        let before = self.devices.len();
        self.devices.extend(devices);
        if self.devices.len() != before {
            self.read_mounts();
        }
    }

    fn read_mounts(&mut self) {
        // The old table is better than none.
        let Ok(mounts) = MountTable::read() else {
            return;
        };
        if self.scope.is_some()
            && let Ok(scope) = Scope::below(&mounts, &self.paths)
        {
            self.scope = Some(scope);
        }
        self.mounts = mounts;
    }

    /// Forgets what may have changed and reads the mounts again, for a new census.
    pub(super) fn refresh(&mut self) {
        self.read_mounts();
        // An inode without a name at first sight may have one now.
        self.decided.retain(|_, wanted| *wanted);
    }

    /// Names `inodes` and puts them into `identities`.
    pub(super) fn name(
        &mut self,
        instrument: &Instrument,
        inodes: &[(InodeId, InodeKey)],
        identities: &mut Identities,
    ) -> Result<(), Error> {
        self.notice_devices(inodes.iter().map(|(_, key)| key.dev));
        let questions: Vec<Question> = inodes.iter().map(|(_, key)| Question::from(key)).collect();
        let mut answers = Vec::with_capacity(inodes.len());
        instrument.identify(&questions, &mut |number, identity| {
            if let Some((id, key)) = inodes.get(number) {
                answers.push((*id, *key, Answer::from(identity)));
            }
        })?;
        for (id, key, answer) in answers {
            let filesystem = self.filesystem(key.dev, &answer, identities);
            let file = self.file(&key, &answer, filesystem, identities);
            identities.files.insert(id, file);
        }
        Ok(())
    }

    fn filesystem(&mut self, dev: Dev, answer: &Answer, identities: &mut Identities) -> usize {
        *self.filesystems.entry(dev).or_insert_with(|| {
            let mut filesystem = self.mounts.filesystem(dev);
            if filesystem.mount_point.is_none() {
                // Mounted nowhere here: the superblock's own words.
                filesystem = Filesystem {
                    dev,
                    fs_type: answer.fs_type.clone(),
                    id: answer.fs_id.clone(),
                    mount_point: None,
                    source: None,
                };
            }
            identities.filesystems.push(filesystem);
            identities.filesystems.len() - 1
        })
    }

    fn file(
        &self,
        key: &InodeKey,
        answer: &Answer,
        filesystem: usize,
        identities: &Identities,
    ) -> FileIdentity {
        let fs_type = identities
            .filesystems
            .get(filesystem)
            .map_or("", |found| &found.fs_type);
        let nameless = || match answer.rdev {
            // The page cache of a block device, seen through its node in bdevfs.
            Some(rdev) => format!("block device {rdev}"),
            None => format!(
                "{}:{}",
                if fs_type.is_empty() { "?" } else { fs_type },
                key.ino
            ),
        };
        let path = answer
            .path
            .as_ref()
            .filter(|_| answer.rdev.is_none())
            .map(|path| {
                self.mounts.display_path(key.dev, path).map_or_else(
                    || {
                        format!(
                            "[{fs_type} {}]{}{}",
                            key.dev,
                            if path.starts_with(b"/") { "" } else { " " },
                            printable(Path::new(&bytes_to_os(path)))
                        )
                    },
                    |(_, shown)| printable(&shown),
                )
            });
        FileIdentity {
            filesystem,
            named: path.is_some(),
            path: path.unwrap_or_else(nameless),
            deleted: answer.deleted,
            size: answer.size,
            links: answer.links,
            place: Place {
                path_in_fs: answer
                    .path
                    .as_deref()
                    .filter(|_| answer.whole_path && answer.rdev.is_none())
                    .map(Box::from),
                device: answer.rdev,
                ..Place::default()
            },
        }
    }
}

fn bytes_to_os(bytes: &[u8]) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::OsStr::from_bytes(bytes).to_owned()
}

/// What the identity program said, without its 4 KiB of path buffer.
struct Answer {
    path: Option<Vec<u8>>,
    /// Nothing of the path was cut off.
    whole_path: bool,
    deleted: bool,
    size: u64,
    links: u32,
    /// Device behind a block-device inode.
    rdev: Option<Dev>,
    fs_type: String,
    fs_id: String,
}

/// `S_IFMT`, `S_IFBLK` and `S_IFREG` (include/uapi/linux/stat.h).
const FILE_TYPE: u16 = 0o170_000;
const BLOCK_DEVICE: u16 = 0o060_000;
const REGULAR: u16 = 0o100_000;

impl From<&Identity> for Answer {
    fn from(identity: &Identity) -> Self {
        let valid = identity.valid == 1;
        let block = valid && identity.mode & FILE_TYPE == BLOCK_DEVICE;
        Self {
            path: path_in_fs(identity).filter(|_| valid),
            whole_path: identity.path_state != path_state::CUT,
            deleted: valid && identity.path_state == path_state::DELETED,
            size: if valid { identity.size } else { 0 },
            links: if valid { identity.nlink } else { 0 },
            rdev: block.then_some(Dev(identity.rdev)),
            fs_type: text_of(&identity.fs_type),
            fs_id: text_of(&identity.fs_id),
        }
    }
}

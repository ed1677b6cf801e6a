//! Who the inodes of the index are: their path from the dentry chain, shown under the
//! mount point; `fs:ino` when an inode has no name.

mod answer;
mod owners;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use sharestat_ebpf::records::{PATH_BYTES, PATH_COMPONENTS};

use self::answer::Answer;
#[cfg(any(test, fuzzing))]
pub(super) use self::answer::path_in_fs;
use super::{
    error::Error,
    instrument::{Instrument, Question},
};
use crate::{
    identity::{escape::printable, mounts::MountTable, scope::Scope, warning::counted},
    model::{
        inode::{Dev, InodeId, InodeKey},
        keyed::KeyedMap,
        measurement::{FileIdentity, Filesystem, Identities, Measurement, Place},
        shared_files::{SharedBy, SharingFile},
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
    /// Files below the paths for all that is known: their own path is too long to tell.
    too_deep: HashSet<InodeKey>,
    /// Pages that EROFS shares were seen, and nothing tells whose they are.
    owners_unknown: bool,
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
            too_deep: HashSet::new(),
            owners_unknown: false,
        })
    }

    /// What the user should know about how the paths were understood.
    pub(super) fn notes(&self) -> Vec<String> {
        self.scope
            .as_ref()
            .map(|scope| scope.notes.clone())
            .unwrap_or_default()
    }

    /// What turned out while inodes were named.
    pub(super) fn late_notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.too_deep.is_empty() {
            notes.push(format!(
                "{} with a path of more than {PATH_BYTES} bytes or {PATH_COMPONENTS} names, which is not known whole, count as below '--path', and may lie elsewhere on its filesystem",
                counted(self.too_deep.len() as u64, "file", "files")
            ));
        }
        if self.owners_unknown {
            notes.push(owners::UNKNOWN.to_owned());
        }
        notes
    }

    /// Whether all that was asked for can be reached.
    pub(super) fn complete(&self) -> bool {
        self.scope
            .as_ref()
            .is_none_or(|scope| scope.complete && !self.owners_unknown)
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
        let (asked, other): (Vec<&InodeKey>, Vec<&InodeKey>) = keys
            .iter()
            .partition(|key| scope.reaches(key.dev) || owners::may_keep_for_others(key));
        self.decided
            .extend(other.into_iter().map(|key| (*key, false)));
        let questions: Vec<Question> = asked.iter().map(|key| Question::from(*key)).collect();
        let (decided, too_deep) = (&mut self.decided, &mut self.too_deep);
        let mut keepers: Vec<(InodeKey, Answer)> = Vec::new();
        instrument.identify(&questions, &mut |number, identity| {
            let Some(key) = asked.get(number) else {
                return;
            };
            let answer = Answer::from(identity);
            if answer.owners_counted.is_some() {
                keepers.push((**key, answer));
                return;
            }
            let place = place_in(scope, key.dev, &answer);
            if place == PlaceInScope::TooDeep {
                too_deep.insert(**key);
            }
            decided.insert(**key, place != PlaceInScope::Outside);
        })?;
        let answers: Vec<&Answer> = keepers.iter().map(|(_, answer)| answer).collect();
        let all_owners = owners::ask(instrument, &answers)?;
        self.notice_devices(owners::devices(&all_owners));
        let Some(scope) = &self.scope else {
            return Ok(());
        };
        for ((key, answer), owners) in keepers.iter().zip(all_owners) {
            self.owners_unknown |= answer.owners_counted == Some(0);
            let inside = |(owner, answer): &(InodeKey, Answer)| {
                place_in(scope, owner.dev, answer) != PlaceInScope::Outside
            };
            self.decided.insert(*key, owners.iter().any(inside));
        }
        Ok(())
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

    /// Names `inodes` and puts them into the identities of `measurement`; its index learns
    /// which are mapped writably.
    pub(super) fn name(
        &mut self,
        instrument: &Instrument,
        inodes: &[(InodeId, InodeKey)],
        measurement: &mut Measurement,
    ) -> Result<(), Error> {
        let identities = &mut measurement.identity;
        self.notice_devices(inodes.iter().map(|(_, key)| key.dev));
        let questions: Vec<Question> = inodes.iter().map(|(_, key)| Question::from(key)).collect();
        let mut answers = Vec::with_capacity(inodes.len());
        instrument.identify(&questions, &mut |number, identity| {
            if let Some((id, key)) = inodes.get(number) {
                answers.push((*id, *key, Answer::from(identity)));
            }
        })?;
        let keepers: Vec<&Answer> = answers
            .iter()
            .map(|(_, _, answer)| answer)
            .filter(|answer| answer.owners_counted.is_some())
            .collect();
        let all_owners = owners::ask(instrument, &keepers)?;
        self.notice_devices(owners::devices(&all_owners));
        let mut all_owners = all_owners.into_iter();
        for (id, key, answer) in &answers {
            measurement.index.map_writably(*id, answer.mapped_writably);
            let keeps = answer.owners_counted.is_some();
            let owners = keeps.then(|| all_owners.next()).flatten();
            match owners.filter(|owners| !owners.is_empty()) {
                Some(owners) => self.name_shared(*id, answer, &owners, identities),
                // Asked about again, and gone: it keeps the name it had.
                None if identities.shared.contains_key(id) => {}
                None => {
                    self.owners_unknown |= keeps;
                    let filesystem = self.filesystem(key.dev, answer, identities);
                    let file = self.file(key, answer, filesystem, identities);
                    identities.files.insert(*id, file);
                }
            }
        }
        Ok(())
    }

    /// Names an inode that keeps the pages of others: like the first of these, of those
    /// that are to be measured the first by path.
    fn name_shared(
        &mut self,
        id: InodeId,
        keeper: &Answer,
        owners: &[(InodeKey, Answer)],
        identities: &mut Identities,
    ) {
        let mut named = Vec::new();
        for (key, answer) in owners {
            let filesystem = self.filesystem(key.dev, answer, identities);
            let file = self.file(key, answer, filesystem, identities);
            let outside = self
                .scope
                .as_ref()
                .is_some_and(|scope| place_in(scope, key.dev, answer) == PlaceInScope::Outside);
            let sharing = SharingFile {
                path: file.path.clone(),
                dev: key.dev,
                ino: key.ino,
            };
            named.push(((outside, !file.named, sharing), file));
        }
        named.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (files, identity): (Vec<_>, Vec<_>) = named
            .into_iter()
            .map(|((_, _, sharing), file)| (sharing, file))
            .unzip();
        let count = u64::from(keeper.owners_counted.unwrap_or(0)).max(files.len() as u64);
        identities.shared.insert(id, SharedBy { files, count });
        identities
            .files
            .extend(identity.into_iter().next().map(|file| (id, file)));
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

/// Where a file lies, seen from `--path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PlaceInScope {
    Inside,
    Outside,
    /// On a filesystem of the scope, with a path that is not known whole.
    TooDeep,
}

/// A path means the files below it: directories and devices may have pages of their own,
/// which belong to no file.
fn place_in(scope: &Scope, dev: Dev, answer: &Answer) -> PlaceInScope {
    let Some(path) = answer.path.as_ref().filter(|_| answer.regular) else {
        return PlaceInScope::Outside;
    };
    // What is cut off is the part that would tell.
    let whole_filesystem = || scope.contains(dev, b"/");
    if scope.contains(dev, path) || (!answer.whole_path && whole_filesystem()) {
        PlaceInScope::Inside
    } else if !answer.whole_path && scope.reaches(dev) {
        PlaceInScope::TooDeep
    } else {
        PlaceInScope::Outside
    }
}

#[cfg(test)]
#[path = "names/tests.rs"]
mod tests;

//! The lists themselves: made from one pass over all pages, then kept up to date file by
//! file. What a file shares with unchanged ones is exact after a whole pass only.

use std::sync::Arc;

use super::Rows;
use crate::{
    model::{
        files::{self, file_row, survey_files},
        groups::group_rows,
        inode::InodeId,
        keyed::KeyedMap,
        measurement::{FileIdentity, Measurement},
        savings::{mechanisms_of, scopes_of},
        units::Bytes,
    },
    tui::frame::{FileRow, GroupRow, Mechanism, Scope},
};

/// All lists, and what is needed to go on from them.
pub(super) struct Lists {
    files: Arc<[FileRow]>,
    filesystems: Arc<[GroupRow]>,
    scopes: Vec<Scope>,
    mechanisms: Vec<Mechanism>,
    /// Files that repeat pages within themselves.
    repeated: KeyedMap<InodeId, Bytes>,
    /// Exclusive bytes of each filesystem at the last pass over all pages.
    exclusive: Vec<Bytes>,
}

impl Lists {
    /// Makes all lists.
    pub(super) fn new(measurement: &Measurement) -> Self {
        let index = &measurement.index;
        let identity = &measurement.identity;
        let mut survey = survey_files(index);
        let names = FilesystemNames::of(measurement);
        let files: Arc<[FileRow]> = survey
            .rows
            .iter()
            .map(|row| names.file(measurement, row))
            .collect();
        let groups = group_rows(index, identity.filesystems.len(), |inode| {
            let file = identity.files.get(&inode)?;
            u32::try_from(file.filesystem).ok()
        });
        let repeats = survey.rows.iter().filter(|row| row.repeated.0 > 0);
        let repeated = repeats.map(|row| (row.inode, row.repeated)).collect();
        let exclusive: Vec<Bytes> = groups.iter().map(|row| row.exclusive).collect();
        Self {
            filesystems: filesystems(measurement, &files, &exclusive),
            scopes: scopes(measurement, survey.repeated),
            mechanisms: mechanisms_of(index, &mut survey)
                .into_iter()
                .map(|mechanism| Mechanism {
                    name: mechanism.name.to_owned(),
                    saving: mechanism.saving,
                    groups: mechanism.groups,
                    confidence: mechanism.confidence.name().to_owned(),
                })
                .collect(),
            repeated,
            exclusive,
            files,
        }
    }

    /// Makes the rows of the files anew that changed after that generation of the index,
    /// and takes those out that have no page left.
    pub(super) fn update(&mut self, measurement: &Measurement, generation: u64) {
        let index = &measurement.index;
        let names = FilesystemNames::of(measurement);
        let mut changed: Vec<InodeId> = index.changed_after(generation).collect();
        changed.sort_unstable();
        for inode in &changed {
            self.repeated.remove(inode);
        }
        self.repeated.retain(|inode, _| index.key(*inode).is_some());
        let mut rows = changed
            .into_iter()
            .map(|inode| (inode, file_row(index, inode)))
            .peekable();
        let mut files = Vec::with_capacity(self.files.len() + rows.len());
        let repeated = &mut self.repeated;
        let mut enter = |files: &mut Vec<FileRow>, row: Option<files::FileRow>| {
            let Some(row) = row else { return };
            if row.repeated.0 > 0 {
                repeated.insert(row.inode, row.repeated);
            }
            files.push(names.file(measurement, &row));
        };
        for old in &*self.files {
            while let Some((_, row)) = rows.next_if(|(inode, _)| *inode < old.inode) {
                enter(&mut files, row);
            }
            if let Some((_, row)) = rows.next_if(|(inode, _)| *inode == old.inode) {
                enter(&mut files, row);
            } else if index.key(old.inode).is_some() {
                files.push(named_again(old, measurement));
            }
        }
        rows.for_each(|(_, row)| enter(&mut files, row));
        self.files = files.into();
        self.filesystems = filesystems(measurement, &self.files, &self.exclusive);
        self.scopes = scopes(measurement, self.repeated.values().copied().sum());
    }

    /// The lists for a picture.
    pub(super) fn rows(&self, note: Option<String>) -> Rows {
        Rows {
            files: Arc::clone(&self.files),
            filesystems: Arc::clone(&self.filesystems),
            scopes: self.scopes.clone(),
            mechanisms: self.mechanisms.clone(),
            note,
        }
    }
}

/// The row of a file that did not change; its name may have become known since.
fn named_again(row: &FileRow, measurement: &Measurement) -> FileRow {
    let mut row = row.clone();
    if &*row.filesystem == UNKNOWN
        && let Some(file) = measurement.identity.files.get(&row.inode)
    {
        let names = FilesystemNames::of(measurement);
        row.path = shown(Some(file), row.inode).into();
        row.fs = names.of_file(&names.types, Some(file));
        row.filesystem = names.of_file(&names.ids, Some(file));
    }
    row
}

const UNKNOWN: &str = "?";

/// Numbers and types of the filesystems, shared by the rows of their files.
struct FilesystemNames {
    ids: Vec<Arc<str>>,
    types: Vec<Arc<str>>,
    unknown: Arc<str>,
}

impl FilesystemNames {
    fn of(measurement: &Measurement) -> Self {
        let filesystems = &measurement.identity.filesystems;
        Self {
            ids: filesystems
                .iter()
                .map(|filesystem| filesystem.dev.to_string().into())
                .collect(),
            types: filesystems
                .iter()
                .map(|filesystem| filesystem.fs_type.as_str().into())
                .collect(),
            unknown: Arc::from(UNKNOWN),
        }
    }

    fn of_file(&self, names: &[Arc<str>], file: Option<&FileIdentity>) -> Arc<str> {
        file.and_then(|file| names.get(file.filesystem))
            .unwrap_or(&self.unknown)
            .clone()
    }

    fn file(&self, measurement: &Measurement, row: &files::FileRow) -> FileRow {
        let file = measurement.identity.files.get(&row.inode);
        FileRow {
            inode: row.inode,
            path: shown(file, row.inode).into(),
            fs: self.of_file(&self.types, file),
            filesystem: self.of_file(&self.ids, file),
            layer: None,
            resident: row.resident,
            duplicate: row.duplicate,
            exclusive: row.exclusive,
            saving: whole(row.saving_share),
            zero: row.zero,
        }
    }
}

/// The sums of the files of each filesystem that has any. What is exclusive to it is more
/// than what is exclusive to its files, and is handed in.
fn filesystems(
    measurement: &Measurement,
    files: &[FileRow],
    exclusive: &[Bytes],
) -> Arc<[GroupRow]> {
    let known = &measurement.identity.filesystems;
    let mut sums = vec![Sums::default(); known.len()];
    for row in files {
        let file = measurement.identity.files.get(&row.inode);
        if let Some(sums) = file.and_then(|file| sums.get_mut(file.filesystem)) {
            sums.resident += row.resident;
            sums.duplicate += row.duplicate;
            sums.exclusive += row.exclusive;
            sums.saving += row.saving;
            sums.zero += row.zero;
        }
    }
    known
        .iter()
        .zip(&sums)
        .enumerate()
        .filter(|(_, (_, sums))| sums.resident != Bytes(0))
        .map(|(number, (filesystem, sums))| GroupRow {
            id: filesystem.dev.to_string().into(),
            name: filesystem
                .mount_point
                .as_deref()
                .unwrap_or(&filesystem.id)
                .into(),
            kind: filesystem.fs_type.as_str().into(),
            layers: Arc::from([]),
            resident: sums.resident,
            duplicate: sums.duplicate,
            exclusive: exclusive
                .get(number)
                .copied()
                .unwrap_or_default()
                .clamp(sums.exclusive, sums.resident),
            saving: sums.saving,
            zero: sums.zero,
            charged: None,
        })
        .collect()
}

#[derive(Clone, Copy, Default)]
struct Sums {
    resident: Bytes,
    duplicate: Bytes,
    exclusive: Bytes,
    saving: Bytes,
    zero: Bytes,
}

fn scopes(measurement: &Measurement, repeated: Bytes) -> Vec<Scope> {
    scopes_of(&measurement.index, repeated)
        .into_iter()
        .map(|scope| Scope {
            name: scope.name.to_owned(),
            duplicate: scope.duplicate,
        })
        .collect()
}

/// Bytes of a share, which is a sum of fractions of pages.
fn whole(share: f64) -> Bytes {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is at least 0 and at most the memory of a host"
    )]
    Bytes(share.round() as u64)
}

/// How a file is called; one whose name was not asked for yet has its number.
pub(in crate::cli::top) fn shown(file: Option<&FileIdentity>, inode: InodeId) -> String {
    match file {
        Some(file) if file.deleted => format!("{} (deleted)", file.path),
        Some(file) => file.path.clone(),
        None => format!("inode #{}", inode.0),
    }
}

//! The files and filesystems of a measurement by name, and the lists that need no more.

use std::{cmp::Reverse, collections::HashMap};

use crate::{
    model::{
        avoidable::Part,
        copy_ups::CopyUp,
        duplicates::Duplicates,
        files::{FileRow, Partner, partners_among},
        groups::group_rows,
        inode::{Dev, InodeId, InodeKey},
        measurement::{Filesystem, Measurement},
        shared_files::{SharedBy, SharingFile},
        units::Bytes,
    },
    report::{
        document::{CopyUpEntry, FileEntry, FilesystemEntry, OwnerEntry, PartnerEntry},
        owners::Owners,
    },
};

/// Partners listed per file.
const PARTNERS: usize = 3;

/// Who the inodes of a measurement are, with an answer for every one of them.
pub(super) struct Names<'a> {
    measurement: &'a Measurement,
    /// The known filesystems, then one for each device that none is known of.
    filesystems: Vec<Filesystem>,
    /// Position in `filesystems` of each inode with resident pages.
    of_inode: HashMap<InodeId, usize>,
}

impl<'a> Names<'a> {
    pub(super) fn new(measurement: &'a Measurement) -> Self {
        let mut filesystems = measurement.identity.filesystems.clone();
        let mut by_dev: HashMap<Dev, usize> = HashMap::new();
        for (position, filesystem) in filesystems.iter().enumerate() {
            by_dev.entry(filesystem.dev).or_insert(position);
        }
        let known = filesystems.len();
        let mut of_inode = HashMap::new();
        for inode in measurement.index.inodes() {
            let identity = measurement.identity.files.get(&inode.id);
            let named = identity.map(|identity| identity.filesystem);
            let position = named
                .filter(|&position| position < known)
                .unwrap_or_else(|| {
                    *by_dev.entry(inode.key.dev).or_insert_with(|| {
                        filesystems.push(unknown_filesystem(inode.key.dev));
                        filesystems.len() - 1
                    })
                });
            of_inode.insert(inode.id, position);
        }
        Self {
            measurement,
            filesystems,
            of_inode,
        }
    }

    pub(super) fn filesystem_entries(&self, duplicates: &Duplicates<'_>) -> Vec<FilesystemEntry> {
        let group_of = |inode: InodeId| u32::try_from(*self.of_inode.get(&inode)?).ok();
        let rows = group_rows(duplicates, self.filesystems.len(), group_of);
        let mut entries: Vec<FilesystemEntry> = self
            .filesystems
            .iter()
            .zip(rows)
            .filter(|(_, row)| row.resident.0 > 0)
            .map(|(filesystem, row)| FilesystemEntry {
                name: name_of(filesystem).to_owned(),
                id: filesystem.id.clone(),
                fs_type: filesystem.fs_type.clone(),
                mount_point: filesystem.mount_point.clone(),
                dev: filesystem.dev.to_string(),
                resident_bytes: row.resident.0,
                duplicate_bytes: row.duplicate.0,
                exclusive_bytes: row.exclusive.0,
                saving_share_bytes: row.saving_share,
            })
            .collect();
        entries.sort_by(|one, other| {
            let rank = |entry: &FilesystemEntry| Reverse(entry.duplicate_bytes);
            (rank(one), &one.name).cmp(&(rank(other), &other.name))
        });
        entries
    }

    pub(super) fn copy_up_entries(&self, copy_ups: &[CopyUp], top: usize) -> Vec<CopyUpEntry> {
        let most = if top == 0 { usize::MAX } else { top };
        let entry = |copy_up: &CopyUp| CopyUpEntry {
            path: self.path(copy_up.copy),
            source: self.path(copy_up.source),
            equal_bytes: copy_up.equal.0,
            differing_bytes: copy_up.differing.0,
            metadata_only: copy_up.metadata_only,
        };
        copy_ups.iter().take(most).map(entry).collect()
    }

    pub(super) fn file_entries(
        &self,
        rows: Vec<FileRow>,
        top: usize,
        owners: &Owners<'_>,
    ) -> Vec<(InodeId, FileEntry)> {
        let index = &self.measurement.index;
        let mut rows: Vec<(String, FileRow)> = rows
            .into_iter()
            .filter(|row| owners.shows_file(row.inode))
            .map(|row| (self.path(row.inode), row))
            .collect();
        // Files without a duplicate page are nobody's partners.
        let holders: Vec<InodeId> = rows
            .iter()
            .filter(|(_, row)| row.duplicate.0 > 0)
            .map(|(_, row)| row.inode)
            .collect();
        rows.sort_by(|(path, row), (other_path, other)| {
            (Reverse(row.duplicate), path, row.inode).cmp(&(
                Reverse(other.duplicate),
                other_path,
                other.inode,
            ))
        });
        if top > 0 {
            rows.truncate(top);
        }
        let listed: Vec<InodeId> = rows.iter().map(|(_, row)| row.inode).collect();
        let mut partners = partners_among(index, &listed, holders.into_iter(), PARTNERS);
        rows.into_iter()
            .map(|(path, row)| {
                let partners = partners.remove(&row.inode).unwrap_or_default();
                (row.inode, self.file_entry(path, &row, &partners, owners))
            })
            .collect()
    }

    fn file_entry(
        &self,
        path: String,
        row: &FileRow,
        partners: &[Partner],
        owners: &Owners<'_>,
    ) -> FileEntry {
        let key = self.key(row.inode);
        let shared = self.measurement.identity.shared.get(&row.inode);
        let first = shared.and_then(|shared| shared.files.first());
        let (dev, ino) = first.map_or((key.dev, key.ino), |file| (file.dev, file.ino));
        let filesystem = self.of_inode.get(&row.inode);
        let identity = self.measurement.identity.files.get(&row.inode);
        let watched = self.measurement.avoidable.as_ref();
        let avoidable = watched.map_or_else(Part::default, |known| known.of_file(row.inode));
        FileEntry {
            path,
            fs: filesystem.map_or_else(String::new, |&position| {
                name_of(&self.filesystems[position]).to_owned()
            }),
            dev: dev.to_string(),
            ino,
            deleted: identity.is_some_and(|file| file.deleted),
            resident_bytes: row.resident.0,
            duplicate_bytes: row.duplicate.0,
            exclusive_bytes: row.exclusive.0,
            saving_share_bytes: row.saving_share,
            layer: owners.layer_of(row.inode),
            images: owners.images_of(row.inode),
            containers: owners.containers_of(row.inode),
            avoidable_reads_bytes: Bytes::of_pages(avoidable.reads).0,
            avoidable_reclaim_bytes: Bytes::of_pages(avoidable.reclaims).0,
            partners: partners
                .iter()
                .map(|partner| PartnerEntry {
                    path: self.path(partner.inode),
                    shared_bytes: partner.shared.0,
                })
                .collect(),
            owners: shared.map_or_else(Vec::new, owner_entries),
            owner_count: shared.map_or(0, |shared| shared.count),
            already_shared_bytes: shared.map_or(0, |shared| shared.saved(row.resident).0),
        }
    }

    fn key(&self, inode: InodeId) -> InodeKey {
        self.measurement
            .index
            .key(inode)
            .copied()
            .unwrap_or_default()
    }

    /// The path of a file; an inode that nothing is known of is shown by its numbers.
    fn path(&self, inode: InodeId) -> String {
        self.measurement.identity.files.get(&inode).map_or_else(
            || {
                let key = self.key(inode);
                format!("{}:{}", key.dev, key.ino)
            },
            |identity| identity.path.clone(),
        )
    }
}

fn owner_entries(shared: &SharedBy) -> Vec<OwnerEntry> {
    let entry = |file: &SharingFile| OwnerEntry {
        path: file.path.clone(),
        dev: file.dev.to_string(),
        ino: file.ino,
    };
    shared.files.iter().map(entry).collect()
}

fn unknown_filesystem(dev: Dev) -> Filesystem {
    Filesystem {
        dev,
        fs_type: "unknown".to_owned(),
        id: dev.to_string(),
        mount_point: None,
        source: None,
    }
}

fn name_of(filesystem: &Filesystem) -> &str {
    filesystem.mount_point.as_deref().unwrap_or(&filesystem.id)
}

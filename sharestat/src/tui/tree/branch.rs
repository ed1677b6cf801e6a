//! One row of a tree and what it knows in which column.

use std::sync::Arc;

use super::super::{
    columns::Column,
    frame::{FileRow, GroupRow},
    rows::{Row, RowKey},
};
use crate::{
    model::{inode::InodeId, units::Bytes},
    query::Value,
};

/// What is behind a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Rows below it.
    Branch,
    /// A file's copies.
    File(InodeId, Arc<str>),
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// Stays the same from frame to frame.
    pub key: Arc<str>,
    /// Rows above it that it belongs to.
    pub depth: usize,
    /// Name, with blanks and a sign before it.
    pub label: Arc<str>,
    /// Type of filesystem or container runtime; empty for directories.
    pub fs: Arc<str>,
    /// Bytes in the page cache.
    pub resident: Bytes,
    /// Bytes of these whose content is known.
    pub hashed: Bytes,
    /// Bytes whose content has another copy.
    pub duplicate: Bytes,
    /// Bytes whose content has no copy outside; `None` where only the parts know theirs.
    pub exclusive: Option<Bytes>,
    /// Share of what sharing by content would save.
    pub saving: Bytes,
    /// Bytes of zero pages.
    pub zero: Bytes,
    /// What Enter does.
    pub target: Target,
}

impl Row for TreeRow {
    fn value(&self, column: Column) -> Value<'_> {
        let known = |bytes: Bytes| {
            // Of files without any hashed page nothing of this is known.
            if self.hashed == Bytes(0) {
                Value::Missing
            } else {
                Value::Bytes(bytes.0)
            }
        };
        match column {
            Column::Path => Value::Text(&self.label),
            Column::Fs => Value::Text(&self.fs),
            Column::Resident => Value::Bytes(self.resident.0),
            Column::Hashed => Value::Bytes(self.hashed.0),
            Column::Duplicate => known(self.duplicate),
            Column::Exclusive => self.exclusive.map_or(Value::Missing, known),
            Column::Saving => known(self.saving),
            Column::Zero => known(self.zero),
            _ => Value::Missing,
        }
    }

    fn key(&self) -> RowKey {
        RowKey::Id(Arc::clone(&self.key))
    }

    fn is(&self, key: &RowKey) -> bool {
        matches!(key, RowKey::Id(id) if *id == self.key)
    }
}

/// A branch or leaf before it has its place.
pub(super) struct Shoot {
    pub(super) row: TreeRow,
    pub(super) name: String,
    pub(super) inside: Inside,
}

/// What unfolding shows.
pub(super) enum Inside {
    /// Nothing: it is a file.
    File,
    /// Files by position, the first so many bytes of whose paths are told above.
    Files(Vec<u32>, usize),
    /// Other groups.
    Groups(Vec<Shoot>),
}

impl Shoot {
    fn new(key: String, name: String, inside: Inside) -> Self {
        Self {
            row: TreeRow {
                key: key.into(),
                depth: 0,
                label: Arc::from(""),
                fs: Arc::from(""),
                resident: Bytes(0),
                hashed: Bytes(0),
                duplicate: Bytes(0),
                exclusive: None,
                saving: Bytes(0),
                zero: Bytes(0),
                target: Target::Branch,
            },
            name,
            inside,
        }
    }

    pub(super) fn file(key: String, name: String, file: &FileRow) -> Self {
        let mut shoot = Self::new(key, name, Inside::File);
        shoot.add(file);
        shoot.row.fs = Arc::clone(&file.fs);
        shoot.row.exclusive = Some(file.exclusive);
        shoot.row.target = Target::File(file.inode, Arc::clone(&file.path));
        shoot
    }

    pub(super) fn directory(
        key: String,
        name: String,
        members: Vec<u32>,
        cut: usize,
        files: &[FileRow],
    ) -> Self {
        let mut shoot = Self::new(key, name, Inside::Files(Vec::new(), cut));
        shoot.add_all(&members, files);
        shoot.inside = Inside::Files(members, cut);
        shoot
    }

    /// A group with its own sums.
    pub(super) fn group(key: String, group: &GroupRow, inside: Inside) -> Self {
        let mut shoot = Self::new(key, group.name.to_string(), inside);
        shoot.row.fs = Arc::clone(&group.kind);
        shoot.row.resident = group.resident;
        // Groups do not tell; what follows from hashing is about hashed pages.
        shoot.row.hashed = group.resident;
        shoot.row.duplicate = group.duplicate;
        shoot.row.exclusive = Some(group.exclusive);
        shoot.row.saving = group.saving;
        shoot.row.zero = group.zero;
        shoot
    }

    /// Replaces the sums by those of some files.
    pub(super) fn recount(&mut self, members: &[u32], files: &[FileRow]) {
        let row = &mut self.row;
        (row.resident, row.hashed) = (Bytes(0), Bytes(0));
        (row.duplicate, row.saving, row.zero) = (Bytes(0), Bytes(0), Bytes(0));
        row.exclusive = None;
        self.add_all(members, files);
    }

    fn add_all(&mut self, members: &[u32], files: &[FileRow]) {
        for file in members.iter().filter_map(|at| files.get(*at as usize)) {
            self.add(file);
        }
    }

    fn add(&mut self, file: &FileRow) {
        let row = &mut self.row;
        row.resident += file.resident;
        row.hashed += file.hashed;
        row.duplicate += file.duplicate;
        row.saving += file.saving;
        row.zero += file.zero;
    }
}

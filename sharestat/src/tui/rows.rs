//! What each kind of row has in which column.

use std::sync::Arc;

use super::{
    columns::Column,
    frame::{Avoidable, CopyRow, DerefRow, FileRow, GroupRow},
};
use crate::{
    model::{inode::InodeId, units::Bytes},
    query::Value,
};

/// What stays the same about a row from frame to frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowKey {
    /// A file.
    Inode(InodeId),
    /// A group's id.
    Id(Arc<str>),
}

/// A row of any table.
pub trait Row {
    /// Its value in a column; [`Value::Missing`] where it has none.
    fn value(&self, column: Column) -> Value<'_>;
    /// Its identity.
    fn key(&self) -> RowKey;
    /// Whether it is the row of that identity.
    fn is(&self, key: &RowKey) -> bool;

    /// Its value in a column of bytes.
    fn bytes(&self, column: Column) -> Option<u64> {
        match self.value(column) {
            Value::Bytes(bytes) => Some(bytes),
            Value::Text(_) | Value::Missing => None,
        }
    }
}

const fn bytes(value: Bytes) -> Value<'static> {
    Value::Bytes(value.0)
}

impl Row for FileRow {
    fn value(&self, column: Column) -> Value<'_> {
        match column {
            Column::Path => Value::Text(&self.path),
            Column::Fs => Value::Text(&self.fs),
            Column::Resident => bytes(self.resident),
            Column::Hashed => bytes(self.hashed),
            // Of a file without any hashed page nothing of this is known.
            Column::Duplicate | Column::Exclusive | Column::Saving | Column::Zero
                if self.hashed == Bytes(0) =>
            {
                Value::Missing
            }
            Column::Duplicate => bytes(self.duplicate),
            Column::Exclusive => bytes(self.exclusive),
            Column::Saving => bytes(self.saving),
            Column::Zero => bytes(self.zero),
            _ => Value::Missing,
        }
    }

    fn key(&self) -> RowKey {
        RowKey::Inode(self.inode)
    }

    fn is(&self, key: &RowKey) -> bool {
        matches!(key, RowKey::Inode(inode) if *inode == self.inode)
    }
}

impl Row for CopyRow {
    fn value(&self, column: Column) -> Value<'_> {
        match column {
            Column::Path => Value::Text(&self.path),
            Column::Fs => Value::Text(&self.fs),
            Column::Shared => bytes(self.shared),
            Column::Layer => self.layer.as_deref().map_or(Value::Missing, Value::Text),
            Column::Since => self.since.as_deref().map_or(Value::Missing, Value::Text),
            _ => Value::Missing,
        }
    }

    fn key(&self) -> RowKey {
        RowKey::Inode(self.inode)
    }

    fn is(&self, key: &RowKey) -> bool {
        matches!(key, RowKey::Inode(inode) if *inode == self.inode)
    }
}

impl GroupRow {
    fn avoidable(&self, part: fn(&Avoidable) -> Bytes) -> Value<'static> {
        let avoidable = self.avoidable.as_ref();
        avoidable.map_or(Value::Missing, |counted| bytes(part(counted)))
    }
}

impl Row for GroupRow {
    fn value(&self, column: Column) -> Value<'_> {
        match column {
            Column::Name => Value::Text(&self.name),
            Column::Fs | Column::Runtime => Value::Text(&self.kind),
            Column::Resident => bytes(self.resident),
            Column::Duplicate => bytes(self.duplicate),
            Column::Exclusive => bytes(self.exclusive),
            Column::Saving => bytes(self.saving),
            Column::Zero => bytes(self.zero),
            Column::Proportional => self.proportional.map_or(Value::Missing, bytes),
            Column::Charged => self.charged.map_or(Value::Missing, bytes),
            Column::Container => {
                let container = self.container.as_deref();
                container.map_or(Value::Missing, Value::Text)
            }
            Column::Reads => self.avoidable(|part| part.reads),
            Column::ReadsRate => self.avoidable(|part| part.reads_per_second),
            Column::Reclaim => self.avoidable(|part| part.reclaim),
            Column::ReclaimRate => self.avoidable(|part| part.reclaim_per_second),
            _ => Value::Missing,
        }
    }

    fn key(&self) -> RowKey {
        RowKey::Id(Arc::clone(&self.id))
    }

    fn is(&self, key: &RowKey) -> bool {
        matches!(key, RowKey::Id(id) if *id == self.id)
    }
}

impl Row for DerefRow {
    fn value(&self, column: Column) -> Value<'_> {
        match column {
            // Counts compare as bytes do.
            Column::Hits => Value::Bytes(self.hits),
            Column::Shareable => Value::Bytes(self.shareable),
            Column::Access => Value::Text(&self.access),
            Column::Context => Value::Text(&self.context),
            Column::Subsystem => Value::Text(&self.subsystem),
            Column::Site => Value::Text(&self.site),
            _ => Value::Missing,
        }
    }

    fn key(&self) -> RowKey {
        RowKey::Id(Arc::clone(&self.id))
    }

    fn is(&self, key: &RowKey) -> bool {
        matches!(key, RowKey::Id(id) if *id == self.id)
    }
}

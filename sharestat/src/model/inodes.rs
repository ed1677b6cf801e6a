//! The inodes that the index knows: key ↔ id, and how many of their pages are resident.

use super::{
    charges::Charges,
    inode::{InodeId, InodeKey},
    keyed::KeyedMap,
};

/// What is kept for each known inode.
#[derive(Clone, Debug)]
pub(super) struct InodeRecord {
    pub(super) key: InodeKey,
    /// Whether its pages have a clean state (not tmpfs).
    pub(super) clean_state: bool,
    /// Whether some process may write to it through a shared mapping.
    pub(super) mapped_writably: bool,
    pub(super) resident: u64,
    pub(super) hashed: u64,
    pub(super) charges: Charges,
}

impl InodeRecord {
    /// Whether its pages could be shared.
    pub(super) const fn eligible(&self) -> bool {
        self.clean_state && !self.mapped_writably
    }
}

/// Gives out ids; an id is never given twice, so that one kept too long finds nothing
/// rather than another inode.
#[derive(Clone, Default)]
pub(super) struct InodeTable {
    ids: KeyedMap<InodeKey, InodeId>,
    records: KeyedMap<InodeId, InodeRecord>,
    next: u32,
}

impl InodeTable {
    pub(super) fn intern(&mut self, key: InodeKey, clean_state: bool) -> InodeId {
        let id = *self.ids.entry(key).or_insert_with(|| {
            let id = InodeId(self.next);
            self.next += 1;
            id
        });
        self.records.entry(id).or_insert(InodeRecord {
            key,
            clean_state,
            mapped_writably: false,
            resident: 0,
            hashed: 0,
            charges: Charges::default(),
        });
        id
    }

    pub(super) fn find(&self, key: &InodeKey) -> Option<InodeId> {
        self.ids.get(key).copied()
    }

    pub(super) fn get(&self, inode: InodeId) -> Option<&InodeRecord> {
        self.records.get(&inode)
    }

    pub(super) fn get_mut(&mut self, inode: InodeId) -> Option<&mut InodeRecord> {
        self.records.get_mut(&inode)
    }

    pub(super) fn forget(&mut self, inode: InodeId) {
        if let Some(record) = self.records.remove(&inode) {
            self.ids.remove(&record.key);
        }
        if self.records.len() * 4 < self.records.capacity() {
            self.records.shrink_to(self.records.len() * 2);
            self.ids.shrink_to(self.ids.len() * 2);
        }
    }

    /// The known inodes without a resident page.
    pub(super) fn empty(&self) -> impl Iterator<Item = InodeId> + '_ {
        self.records
            .iter()
            .filter(|(_, record)| record.resident == 0)
            .map(|(id, _)| *id)
    }

    /// Heap bytes in use; hash tables keep one control byte per slot and are at most
    /// 7/8 full.
    pub(super) fn memory_bytes(&self) -> u64 {
        let records = self.records.capacity() * 8 / 7 * (size_of::<(InodeId, InodeRecord)>() + 1);
        let ids = self.ids.capacity() * 8 / 7 * (size_of::<(InodeKey, InodeId)>() + 1);
        let charges = self
            .records
            .values()
            .map(|record| record.charges.memory_bytes());
        (records + ids + charges.sum::<usize>()) as u64
    }
}

//! Reading one inode of the index.

use super::{
    charges::{Charges, MemcgId},
    inode::{InodeId, InodeKey},
    inodes::InodeRecord,
    page::PageState,
    pages::PageMap,
    units::{ContentHash, PageIndex},
};

/// One inode and its resident pages.
#[derive(Clone, Copy)]
pub struct InodeView<'a> {
    /// Its id in the index.
    pub id: InodeId,
    /// What makes it itself.
    pub key: &'a InodeKey,
    /// Whether its pages could be shared: they have a clean state, and no process may write
    /// to them through a shared mapping.
    pub eligible: bool,
    /// Whether only such a mapping keeps them from being shared.
    pub mapped_writably: bool,
    resident: u64,
    hashed: u64,
    charges: &'a Charges,
    pages: &'a PageMap,
}

impl<'a> InodeView<'a> {
    pub(super) fn new(id: InodeId, record: &'a InodeRecord, pages: &'a PageMap) -> Self {
        Self {
            id,
            key: &record.key,
            eligible: record.eligible(),
            mapped_writably: record.clean_state && record.mapped_writably,
            resident: record.resident,
            hashed: record.hashed,
            charges: &record.charges,
            pages,
        }
    }

    /// Whether its pages have a clean state (not tmpfs).
    #[must_use]
    pub const fn has_clean_state(&self) -> bool {
        self.eligible || self.mapped_writably
    }

    /// Resident pages.
    #[must_use]
    pub const fn resident(&self) -> u64 {
        self.resident
    }

    /// Resident pages whose content is known.
    #[must_use]
    pub const fn hashed(&self) -> u64 {
        self.hashed
    }

    /// The resident pages in order, with what is known of each.
    pub fn pages(&self) -> impl Iterator<Item = (PageIndex, PageState)> + use<'a> {
        self.pages
            .of_inode(self.id)
            .map(|(page, entry)| (PageIndex(page), entry.state()))
    }

    /// Content and arrival, in milliseconds since the start, of the pages whose content is
    /// known.
    pub fn arrivals(&self) -> impl Iterator<Item = (ContentHash, u32)> + use<'a> {
        self.pages
            .of_inode(self.id)
            .filter_map(|(_, entry)| Some((entry.content()?, entry.added_ms())))
    }

    /// From which page index on which memory cgroup is charged (`None`: not known): the
    /// first entry is for page 0, each holds up to the next.
    pub fn charges(&self) -> impl Iterator<Item = (u64, Option<MemcgId>)> + use<'a> {
        self.charges.starts()
    }

    /// The pages whose content is known, in order.
    pub fn contents(&self) -> impl Iterator<Item = (PageIndex, ContentHash)> + use<'a> {
        self.pages
            .of_inode(self.id)
            .filter_map(|(page, entry)| Some((PageIndex(page), entry.content()?)))
    }
}

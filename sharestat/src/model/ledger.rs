//! The books of the index: every change of a page's state passes through here, so that
//! all totals are known at any moment without a recount.

use super::{
    avoidable::Counts,
    contents::Contents,
    entry::{Entry, READ},
    inode::InodeId,
    inodes::InodeRecord,
    page::PageState,
    totals::{Activity, Totals},
    units::ContentHash,
};

/// The content table and the running sums.
#[derive(Clone)]
pub(super) struct Ledger {
    pub(super) contents: Contents,
    pub(super) zero: ContentHash,
    /// Counts changes, so that readers see whether anything moved.
    pub(super) generation: u64,
    pub(super) activity: Activity,
    pub(super) avoidable: Counts,
    resident: u64,
    skipped: [u64; 6],
    eligible: u64,
    inodes: u64,
}

impl Ledger {
    pub(super) fn new(zero: ContentHash) -> Self {
        Self {
            contents: Contents::default(),
            zero,
            generation: 0,
            activity: Activity::default(),
            avoidable: Counts::default(),
            resident: 0,
            skipped: [0; 6],
            eligible: 0,
            inodes: 0,
        }
    }

    /// Books a page in; copies of its content, with it, or 0.
    pub(super) fn enter(&mut self, inode: &mut InodeRecord, state: PageState) -> u32 {
        self.resident += 1;
        self.activity.added += 1;
        self.inodes += u64::from(inode.resident == 0);
        inode.resident += 1;
        self.book(inode, state)
    }

    /// Books a page out and returns how many copies of its content are left.
    pub(super) fn leave(&mut self, inode: &mut InodeRecord, state: PageState) -> u32 {
        self.resident -= 1;
        self.activity.removed += 1;
        inode.resident -= 1;
        self.inodes -= u64::from(inode.resident == 0);
        self.unbook(inode, state)
    }

    /// Books a page from one state to another; copies of a content that it got, with it,
    /// or 0.
    pub(super) fn change(
        &mut self,
        inode: &mut InodeRecord,
        from: PageState,
        to: PageState,
    ) -> u32 {
        if from == to {
            return 0;
        }
        self.unbook(inode, from);
        self.book(inode, to)
    }

    /// A page whose content was not known has one, of which there are so many copies.
    pub(super) fn learned(
        &mut self,
        inode: InodeId,
        entry: &mut Entry,
        content: ContentHash,
        copies: u32,
    ) {
        if copies == 1 {
            self.avoidable.returned(content);
        }
        if entry.has(READ) {
            entry.clear(READ);
            self.avoidable
                .read(inode, copies > 1 && content != self.zero);
        }
    }

    /// Reclaim took a page in this state, which is booked out, and left so many copies.
    pub(super) fn reclaimed(&mut self, inode: InodeId, state: PageState, copies: u32) {
        let duplicates = self.hashed() - self.contents.distinct();
        self.avoidable
            .reclaimed(inode, state.content(), copies, duplicates);
    }

    /// Books the hashed pages of an inode as eligible or not.
    pub(super) fn map_writably(&mut self, inode: &mut InodeRecord, mapped: bool) {
        self.generation += 1;
        if inode.eligible() {
            self.eligible -= inode.hashed;
        }
        inode.mapped_writably = mapped;
        if inode.eligible() {
            self.eligible += inode.hashed;
        }
    }

    fn hashed(&self) -> u64 {
        self.resident - self.skipped.iter().sum::<u64>()
    }

    fn book(&mut self, inode: &mut InodeRecord, state: PageState) -> u32 {
        let mut copies = 0;
        self.generation += 1;
        if let Some(content) = state.content() {
            copies = self.contents.insert(content);
            inode.hashed += 1;
            self.activity.hashed += 1;
            self.eligible += u64::from(inode.eligible());
        }
        if let Some(reason) = state.skip_reason() {
            self.skipped[reason as usize] += 1;
        }
        copies
    }

    fn unbook(&mut self, inode: &mut InodeRecord, state: PageState) -> u32 {
        self.generation += 1;
        if let Some(reason) = state.skip_reason() {
            self.skipped[reason as usize] -= 1;
        }
        state.content().map_or(0, |content| {
            inode.hashed -= 1;
            self.eligible -= u64::from(inode.eligible());
            self.contents.remove(content)
        })
    }

    pub(super) fn totals(&self) -> Totals {
        let hashed = self.hashed();
        let distinct = self.contents.distinct();
        Totals {
            resident: self.resident,
            hashed,
            skipped: self.skipped,
            distinct,
            duplicate: hashed - distinct,
            zero_copies: u64::from(self.contents.copies(self.zero)),
            eligible: self.eligible,
            inodes: self.inodes,
        }
    }
}

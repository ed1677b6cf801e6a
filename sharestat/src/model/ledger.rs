//! The books of the index: every change of a page's state passes through here, so that
//! all totals are known at any moment without a recount.

use super::{
    contents::Contents,
    inodes::InodeRecord,
    page::PageState,
    totals::{Activity, Totals},
    units::ContentHash,
};

/// The content table and the running sums.
pub(super) struct Ledger {
    pub(super) contents: Contents,
    pub(super) zero: ContentHash,
    /// Counts changes, so that readers see whether anything moved.
    pub(super) generation: u64,
    pub(super) activity: Activity,
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
            resident: 0,
            skipped: [0; 6],
            eligible: 0,
            inodes: 0,
        }
    }

    /// Books a page in.
    pub(super) fn enter(&mut self, inode: &mut InodeRecord, state: PageState) {
        self.resident += 1;
        self.activity.added += 1;
        self.inodes += u64::from(inode.resident == 0);
        inode.resident += 1;
        self.book(inode, state);
    }

    /// Books a page out and returns how many copies of its content are left.
    pub(super) fn leave(&mut self, inode: &mut InodeRecord, state: PageState) -> u32 {
        self.resident -= 1;
        self.activity.removed += 1;
        inode.resident -= 1;
        self.inodes -= u64::from(inode.resident == 0);
        self.unbook(inode, state)
    }

    /// Books a page from one state to another.
    pub(super) fn change(&mut self, inode: &mut InodeRecord, from: PageState, to: PageState) {
        if from != to {
            self.unbook(inode, from);
            self.book(inode, to);
        }
    }

    fn book(&mut self, inode: &mut InodeRecord, state: PageState) {
        self.generation += 1;
        if let Some(content) = state.content() {
            self.contents.insert(content);
            inode.hashed += 1;
            self.activity.hashed += 1;
            self.eligible += u64::from(inode.eligible);
        }
        if let Some(reason) = state.skip_reason() {
            self.skipped[reason as usize] += 1;
        }
    }

    fn unbook(&mut self, inode: &mut InodeRecord, state: PageState) -> u32 {
        self.generation += 1;
        if let Some(reason) = state.skip_reason() {
            self.skipped[reason as usize] -= 1;
        }
        state.content().map_or(0, |content| {
            inode.hashed -= 1;
            self.eligible -= u64::from(inode.eligible);
            self.contents.remove(content)
        })
    }

    pub(super) fn totals(&self) -> Totals {
        let hashed = self.resident - self.skipped.iter().sum::<u64>();
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

//! Which group of files holds a content, and what the pages of one file add to the group
//! that it is in: what rows of groups are made of.

use super::{
    duplicates::{Duplicate, Duplicates},
    groups::GroupRow,
    units::Bytes,
    view::InodeView,
};

/// The only group that holds a content, as far as files were passed. There is one for
/// every content: four bytes, a group's number plus one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner(u32);

impl Owner {
    /// No group so far.
    pub(super) const NOBODY: Self = Self(0);
    /// Several groups, or files without a group.
    pub(super) const SEVERAL: Self = Self(u32::MAX);

    /// This group.
    pub(super) const fn of(group: u32) -> Self {
        Self(group.saturating_add(1))
    }

    /// One more file that holds it, of `holder`.
    pub(super) fn take(&mut self, holder: Self) {
        if *self == Self::NOBODY {
            *self = holder;
        } else if *self != holder {
            *self = Self::SEVERAL;
        }
    }

    /// The row of the only group.
    pub(super) fn row<R>(self, rows: &mut [R]) -> Option<&mut R> {
        rows.get_mut(self.0.checked_sub(1)? as usize)
    }
}

/// What one file adds; `exclusive` is what has no other copy at all.
pub(super) fn part_of(
    duplicates: &Duplicates<'_>,
    inode: &InodeView<'_>,
    own: &[Duplicate],
    mut take: impl FnMut(usize),
) -> GroupRow {
    let duplicate = own.len() as u64;
    let mut saving_pages = 0.0;
    for page in own {
        let copies = duplicates.copies(page.number());
        saving_pages += f64::from(copies - 1) / f64::from(copies);
        take(page.number());
    }
    GroupRow {
        resident: Bytes::of_pages(inode.resident()),
        duplicate: Bytes::of_pages(duplicate),
        exclusive: Bytes::of_pages(inode.hashed() - duplicate),
        saving_share: saving_pages * Bytes::of_pages(1).to_f64(),
    }
}

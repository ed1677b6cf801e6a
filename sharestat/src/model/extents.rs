//! Where the pages of a file are on storage, as far as other files share the place: what
//! FIEMAP tells of extents with its `shared` mark. Pure.

use super::units::PageIndex;

/// Consecutive pages of a file in consecutive places of one filesystem's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// First page in the file.
    pub first: u64,
    /// Number of pages.
    pub pages: u64,
    /// Physical address of the first page on the filesystem's storage, in bytes.
    pub physical: u64,
}

/// The shared extents of a file, by first page, not overlapping. A file that was asked
/// and shares nothing has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents(Vec<Extent>);

impl Extents {
    /// From extents in any order.
    #[must_use]
    pub fn new(mut extents: Vec<Extent>) -> Self {
        extents.retain(|extent| extent.pages > 0);
        extents.sort_unstable();
        Self(extents)
    }

    /// Physical address of a page, when it is shared.
    #[must_use]
    pub fn physical(&self, page: PageIndex) -> Option<u64> {
        let after = self.0.partition_point(|extent| extent.first <= page.0);
        let extent = self.0.get(after.checked_sub(1)?)?;
        let inside = page.0 - extent.first;
        let offset = inside.checked_mul(super::units::PAGE_SIZE)?;
        (inside < extent.pages).then(|| extent.physical.wrapping_add(offset))
    }

    /// Whether nothing is shared.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_in_its_extent_only() {
        let extent = |first, pages, physical| Extent {
            first,
            pages,
            physical,
        };
        let extents = Extents::new(vec![extent(10, 2, 1 << 20), extent(2, 3, 8192)]);
        let at = |page| extents.physical(PageIndex(page));
        assert_eq!(
            [1, 2, 4, 5, 9].map(at),
            [None, Some(8192), Some(16384), None, None]
        );
        assert_eq!(
            [10, 11, 12].map(at),
            [Some(1 << 20), Some((1 << 20) + 4096), None]
        );
        assert!(Extents::new(vec![extent(1, 0, 5)]).is_empty());
    }
}

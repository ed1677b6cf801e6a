//! Which pages of upper files are still those of the lower file that they hide: overlayfs
//! copied the file up, and nobody has written there since. From pages and relations of one
//! measurement; what a kernel that shares copied-up pages would keep once.

use std::collections::{HashMap, HashSet};

use crate::model::{
    index::ContentIndex,
    inode::InodeId,
    kin::Kin,
    units::{ContentHash, PageIndex},
};

/// More mounts on top of each other than overlayfs allows (`FILESYSTEM_MAX_STACK_DEPTH`,
/// include/linux/fs.h): what leads on is a circle of directories that are upper and lower.
const DEEPEST: usize = 8;

/// Where unchanged pages came from.
#[derive(Debug, Default)]
pub struct Unchanged {
    /// By upper file its unchanged pages, ascending, with the lower file of each.
    origins: HashMap<InodeId, Vec<(PageIndex, InodeId)>>,
    sources: HashSet<InodeId>,
}

impl Unchanged {
    /// Compares each upper file with the lower file that it hides, page by page. Zero pages
    /// are shared under no mechanism but their own.
    #[must_use]
    pub fn of(index: &ContentIndex, kin: &Kin<'_>) -> Self {
        let mut unchanged = Self::default();
        for &(copy, source) in kin.copy_ups() {
            let equal = equal_pages(index, copy, source);
            let pages = equal.into_iter().map(|page| (page, source));
            let known = unchanged.origins.entry(copy).or_default();
            known.extend(pages);
            known.sort_unstable();
            // Of a directory that two mounts write to, one lower file is enough.
            known.dedup_by_key(|(page, _)| *page);
            unchanged.sources.insert(source);
        }
        unchanged
    }

    /// The file that a page came from in the end; `None` when it is neither unchanged nor
    /// of a file that was copied up.
    #[must_use]
    pub fn origin(&self, file: InodeId, page: PageIndex) -> Option<InodeId> {
        let mut origin = file;
        for _ in 0..DEEPEST {
            match self.below(origin, page) {
                Some(below) => origin = below,
                None => break,
            }
        }
        (origin != file || self.sources.contains(&file)).then_some(origin)
    }

    fn below(&self, copy: InodeId, page: PageIndex) -> Option<InodeId> {
        let pages = self.origins.get(&copy)?;
        let at = pages.binary_search_by_key(&page, |(page, _)| *page).ok()?;
        pages.get(at).map(|(_, source)| *source)
    }
}

fn equal_pages(index: &ContentIndex, one: InodeId, other: InodeId) -> Vec<PageIndex> {
    let (Some(one), Some(other)) = (index.view(one), index.view(other)) else {
        return Vec::new();
    };
    let mut other = other.contents().peekable();
    let mut equal = Vec::new();
    for (page, content) in one
        .contents()
        .filter(|(_, content)| *content != index.zero())
    {
        let before = |candidate: &(PageIndex, ContentHash)| candidate.0 < page;
        while other.next_if(before).is_some() {}
        if other.peek() == Some(&(page, content)) {
            equal.push(page);
        }
    }
    equal
}

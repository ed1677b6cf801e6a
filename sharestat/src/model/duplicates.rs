//! The pages whose content has another copy, looked up once for all passes of a report.
//! Contents are numbered, so that passes compare and count by small numbers instead of
//! asking the table of contents, which waits for memory on most pages.

use super::{
    at_once::at_once,
    contents::Annotated,
    index::ContentIndex,
    inode::InodeId,
    units::{ContentHash, PageIndex},
    view::InodeView,
};

/// A page whose content has another copy: 12 bytes, packed because there are many.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub struct Duplicate {
    page: u64,
    number: u32,
}

impl Duplicate {
    /// Where in its file it is.
    pub(super) const fn page(self) -> PageIndex {
        PageIndex(self.page)
    }

    /// Its content.
    pub(super) const fn number(self) -> usize {
        self.number as usize
    }
}

/// A content with at least two copies.
#[derive(Clone, Copy)]
struct Repeated {
    content: ContentHash,
    copies: u32,
}

/// All pages of an index whose content has another copy.
pub struct Duplicates<'i> {
    index: &'i ContentIndex,
    /// By number.
    contents: Vec<Repeated>,
    zero: Option<usize>,
    /// Ordered by file and page, in two runs: each was looked up by one thread.
    pages: [Pages; 2],
}

/// Pages of consecutive inodes.
#[derive(Default)]
struct Pages {
    pages: Vec<Duplicate>,
    /// Inodes with any of them, ascending, and the first page of each.
    files: Vec<(InodeId, usize)>,
}

/// A content that has one copy only.
const UNIQUE: u32 = u32::MAX;

impl<'i> Duplicates<'i> {
    /// Looks them up, on two threads. Takes 12 bytes a page and 16 a content, and 4 bytes a
    /// slot of the table of contents while it runs.
    #[must_use]
    pub fn of(index: &'i ContentIndex) -> Self {
        let mut numbers = index.ledger.contents.annotate(UNIQUE);
        let mut contents: Vec<Repeated> = Vec::new();
        numbers.each(|content, copies, number| {
            if copies > 1 {
                *number = u32::try_from(contents.len()).unwrap_or(UNIQUE);
                contents.push(Repeated { content, copies });
            }
        });
        let zero = numbers.get(index.zero()).filter(|zero| *zero != UNIQUE);
        let inodes: Vec<InodeId> = index.inodes().map(|inode| inode.id).collect();
        let middle = middle(index, &inodes);
        let (first, second) = inodes.split_at(middle);
        let look_up = |inodes: &[InodeId]| Pages::of(index, inodes, &numbers);
        let (first, second) = at_once(|| look_up(first), || look_up(second));
        Self {
            index,
            contents,
            zero: zero.map(|zero| zero as usize),
            pages: [first, second],
        }
    }

    /// The index that they are of.
    #[must_use]
    pub const fn index(&self) -> &'i ContentIndex {
        self.index
    }

    /// The hash of a content.
    pub(super) fn content(&self, number: usize) -> ContentHash {
        self.contents[number].content
    }

    /// All copies of a content, at least 2.
    pub(super) fn copies(&self, number: usize) -> u32 {
        self.contents[number].copies
    }

    /// Whether a content is the zero page.
    pub(super) fn is_zero(&self, number: usize) -> bool {
        self.zero == Some(number)
    }

    /// The hash and the copies of every content, by number.
    pub(super) fn contents(&self) -> impl Iterator<Item = (ContentHash, u32)> {
        self.contents.iter().map(|one| (one.content, one.copies))
    }

    /// A value for every content, by number.
    pub(super) fn notes<T: Clone>(&self, initial: T) -> Vec<T> {
        vec![initial; self.contents.len()]
    }

    /// Those of a file, by page.
    pub(super) fn of_file(&self, inode: InodeId) -> &[Duplicate] {
        let of = |pages: &'_ Pages| {
            let at = pages.files.binary_search_by_key(&inode, |file| file.0);
            at.ok().map(|at| pages.range(at))
        };
        let [first, second] = &self.pages;
        if let Some(range) = of(first) {
            return &first.pages[range];
        }
        of(second).map_or(&[], |range| &second.pages[range])
    }

    /// The inodes with resident pages, by id, and their duplicates, of most none.
    pub(super) fn files(&self) -> impl Iterator<Item = (InodeView<'i>, &[Duplicate])> {
        let mut with_any = self.pages.iter().flat_map(Pages::files).peekable();
        self.index.inodes().map(move |inode| {
            let own = with_any.next_if(|(id, _)| *id == inode.id);
            (inode, own.map_or(&[][..], |(_, pages)| pages))
        })
    }
}

impl Pages {
    fn of(index: &ContentIndex, inodes: &[InodeId], numbers: &Annotated<'_, u32>) -> Self {
        let mut all = Self::default();
        for inode in inodes.iter().filter_map(|inode| index.view(*inode)) {
            let first = all.pages.len();
            index.visit_contents(&inode, |page, content, copies| {
                if copies > 1
                    && let Some(number) = numbers.get(content)
                {
                    all.pages.push(Duplicate {
                        page: page.0,
                        number,
                    });
                }
            });
            if all.pages.len() > first {
                all.files.push((inode.id, first));
            }
        }
        all
    }

    fn range(&self, at: usize) -> std::ops::Range<usize> {
        let next = self.files.get(at + 1);
        self.files[at].1..next.map_or(self.pages.len(), |next| next.1)
    }

    fn files(&self) -> impl Iterator<Item = (InodeId, &[Duplicate])> {
        let files = self.files.iter().enumerate();
        files.map(|(at, (inode, _))| (*inode, &self.pages[self.range(at)]))
    }
}

/// Where to split the inodes so that both parts have about as many pages.
fn middle(index: &ContentIndex, inodes: &[InodeId]) -> usize {
    let resident = |inode: &InodeId| index.view(*inode).map_or(0, |view| view.resident());
    let half = inodes.iter().map(resident).sum::<u64>() / 2;
    let mut sum = 0;
    let before = |inode: &&InodeId| {
        sum += resident(inode);
        sum <= half
    };
    inodes.iter().take_while(before).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::samples::{self, ZERO, counts, hashed_pages};

    proptest! {
        #[test]
        fn they_are_the_pages_with_another_copy(index in samples::index()) {
            let pages = hashed_pages(&index);
            let copies = counts(pages.iter().map(|page| page.2));
            let expected: Vec<_> = pages.into_iter().filter(|page| copies[&page.2] > 1).collect();
            let duplicates = Duplicates::of(&index);
            let named = |inode, own: &[Duplicate]| {
                let page = |page: &Duplicate| (inode, page.page(), duplicates.content(page.number()));
                own.iter().map(page).collect::<Vec<_>>()
            };
            let mut found = Vec::new();
            for (view, own) in duplicates.files() {
                found.extend(named(view.id, own));
                prop_assert_eq!(named(view.id, own), named(view.id, duplicates.of_file(view.id)));
                for page in own {
                    let content = duplicates.content(page.number());
                    prop_assert_eq!(u64::from(duplicates.copies(page.number())), copies[&content]);
                    prop_assert_eq!(duplicates.is_zero(page.number()), content == ZERO);
                }
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(duplicates.files().count(), index.inodes().count());
        }
    }
}

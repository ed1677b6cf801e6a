//! Whose the duplicates are: one row per file, from one pass over all pages.

use super::{
    duplicates::Duplicates,
    index::ContentIndex,
    inode::InodeId,
    units::{Bytes, ContentHash},
    view::InodeView,
};

pub use super::partners::{Partner, partners, partners_among};

/// What one file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct FileRow {
    /// The file.
    pub inode: InodeId,
    /// In the page cache.
    pub resident: Bytes,
    /// Pages whose content is known.
    pub hashed: Bytes,
    /// Pages whose content has any other copy.
    pub duplicate: Bytes,
    /// Pages whose content has no copy outside the file.
    pub exclusive: Bytes,
    /// Its part of what sharing would save, in bytes: of a page with `c` copies,
    /// (c − 1)/c. The parts of all files add up to the duplicate bytes of the host.
    pub saving_share: f64,
    /// Pages that are zero.
    pub zero: Bytes,
}

/// One content within one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentRun {
    pub(super) content: ContentHash,
    /// Copies in this file.
    pub(super) here: u32,
    /// Copies on the host, at least 2.
    pub(super) copies: u32,
}

impl ContentRun {
    fn new(content: ContentHash, here: usize, copies: u32) -> Self {
        Self {
            content,
            here: u32::try_from(here).unwrap_or(u32::MAX),
            copies,
        }
    }
}

/// All files, and what they hold more than once within themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct FileSurvey {
    /// The rows of all files with resident pages, by inode id.
    pub rows: Vec<FileRow>,
    /// Copies beyond the first within each file, zero pages aside.
    pub repeated: Bytes,
}

/// The rows of all files with resident pages, by inode id.
#[must_use]
pub fn file_rows(index: &ContentIndex) -> Vec<FileRow> {
    survey_files(&Duplicates::of(index)).rows
}

/// The rows of all files, and what the scopes of savings need of them.
#[must_use]
pub fn survey_files(duplicates: &Duplicates<'_>) -> FileSurvey {
    let index = duplicates.index();
    let mut numbers: Vec<usize> = Vec::new();
    let mut survey = FileSurvey {
        rows: Vec::new(),
        repeated: Bytes(0),
    };
    for (inode, own) in duplicates.files() {
        numbers.clear();
        numbers.extend(own.iter().map(|page| page.number()));
        numbers.sort_unstable();
        let runs = numbers.chunk_by(|one, next| one == next).map(|run| {
            ContentRun::new(
                duplicates.content(run[0]),
                run.len(),
                duplicates.copies(run[0]),
            )
        });
        let (row, repeated) = survey_file(index, &inode, runs);
        survey.rows.push(row);
        survey.repeated += Bytes::of_pages(repeated);
    }
    survey
}

/// The row of one file, when it is known.
#[must_use]
pub fn file_row(index: &ContentIndex, inode: InodeId) -> Option<FileRow> {
    let view = index.view(inode)?;
    let mut scratch = Vec::new();
    let runs = duplicated_contents(index, &view, &mut scratch);
    Some(survey_file(index, &view, runs).0)
}

/// The row of a file, and the pages that repeat another one of it.
fn survey_file(
    index: &ContentIndex,
    inode: &InodeView<'_>,
    runs: impl Iterator<Item = ContentRun>,
) -> (FileRow, u64) {
    let (mut duplicate, mut shared, mut zero, mut repeated) = (0, 0, 0, 0);
    let mut saving_pages = 0.0;
    for run in runs {
        let here = u64::from(run.here);
        duplicate += here;
        if run.here < run.copies {
            shared += here;
        }
        saving_pages += f64::from(run.here) * f64::from(run.copies - 1) / f64::from(run.copies);
        if run.content == index.zero() {
            zero = here;
        } else {
            repeated += here - 1;
        }
    }
    if zero == 0 && index.copies(index.zero()) == 1 {
        let has_it = |(_, content)| content == index.zero();
        zero = u64::from(inode.contents().any(has_it));
    }
    let row = FileRow {
        inode: inode.id,
        resident: Bytes::of_pages(inode.resident()),
        hashed: Bytes::of_pages(inode.hashed()),
        duplicate: Bytes::of_pages(duplicate),
        exclusive: Bytes::of_pages(inode.hashed() - shared),
        saving_share: saving_pages * Bytes::of_pages(1).to_f64(),
        zero: Bytes::of_pages(zero),
    };
    (row, repeated)
}

/// The contents of a file that have another copy anywhere, each once, by hash.
///
/// Sorting the copies of one file at a time needs memory for the largest file only,
/// and tells copies inside the file from copies outside.
pub(super) fn duplicated_contents<'a>(
    index: &ContentIndex,
    inode: &InodeView<'_>,
    scratch: &'a mut Vec<(ContentHash, u32)>,
) -> impl Iterator<Item = ContentRun> + use<'a> {
    scratch.clear();
    index.visit_contents(inode, |_, content, copies| {
        if copies > 1 {
            scratch.push((content, copies));
        }
    });
    scratch.sort_unstable();
    scratch
        .chunk_by(|one, next| one.0 == next.0)
        .map(|run| ContentRun::new(run[0].0, run.len(), run[0].1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::samples::{self, ZERO, counts, hashed_pages};

    proptest! {
        #[test]
        fn rows_are_what_the_definitions_say(index in samples::index()) {
            let pages = hashed_pages(&index);
            let copies = counts(pages.iter().map(|&(_, _, content)| content));
            let within = counts(pages.iter().map(|&(inode, _, content)| (inode, content)));
            let rows = file_rows(&index);
            prop_assert_eq!(rows.len() as u64, index.totals().inodes);
            let mut shares = 0.0;
            for row in &rows {
                let of_file = || pages.iter().filter(|page| page.0 == row.inode);
                let count = |counts: &dyn Fn(ContentHash) -> bool| {
                    Bytes::of_pages(of_file().filter(|page| counts(page.2)).count() as u64)
                };
                let view = index.view(row.inode).expect("it has a row");
                prop_assert_eq!(row.resident, Bytes::of_pages(view.pages().count() as u64));
                prop_assert_eq!(row.hashed, count(&|_| true));
                prop_assert_eq!(row.duplicate, count(&|content| copies[&content] > 1));
                prop_assert_eq!(row.exclusive, count(&|content| within[&(row.inode, content)] == copies[&content]));
                prop_assert_eq!(row.zero, count(&|content| content == ZERO));
                shares += row.saving_share;
            }
            let duplicate = Bytes::of_pages(index.totals().duplicate).to_f64();
            prop_assert!((shares - duplicate).abs() < 0.001, "{} is not {}", shares, duplicate);
        }

        #[test]
        fn partners_are_those_with_most_in_common(index in samples::index(), most in 0_usize..4) {
            let pages = hashed_pages(&index);
            let within = counts(pages.iter().map(|&(inode, _, content)| (inode, content)));
            let asked: Vec<InodeId> = index.inodes().map(|inode| inode.id).collect();
            let found = partners(&index, &asked, most);
            prop_assert_eq!(found.len(), asked.len());
            for one in &asked {
                let mut expected: Vec<Partner> = asked.iter().filter(|other| *other != one).map(|other| {
                    let common = |page: &&(InodeId, _, ContentHash)| {
                        page.0 == *one && page.2 != ZERO && within.contains_key(&(*other, page.2))
                    };
                    let shared = pages.iter().filter(common).count() as u64;
                    Partner { inode: *other, shared: Bytes::of_pages(shared) }
                }).filter(|partner| partner.shared.0 > 0).collect();
                expected.sort_by_key(|partner| (std::cmp::Reverse(partner.shared), partner.inode));
                expected.truncate(most);
                prop_assert_eq!(&found[one], &expected);
            }
        }
    }
}

//! One batch of pages on its way to the hash program and back.

use sharestat_ebpf::records::{HASH_BATCH_PAGES, HashRequest, page_status};

use crate::model::{
    inode::{InodeId, InodeKey},
    page::{Observation, SkipReason},
    units::{ContentHash, PageIndex},
};

/// Requests of at most [`HASH_BATCH_PAGES`] pages, and whose pages they are.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) requests: Vec<HashRequest>,
    pages: Vec<(InodeId, PageIndex)>,
    /// How often these pages were asked for in vain.
    pub(super) tries: u8,
}

impl Batch {
    /// Adds one page; consecutive pages of one inode become one request. `folio` is the
    /// address of the folio that holds it, 0 when not known.
    pub(super) fn push(&mut self, inode: InodeId, key: &InodeKey, page: PageIndex, folio: u64) {
        let continues = self
            .pages
            .last()
            .is_some_and(|(last, index)| *last == inode && index.offset(1) == page);
        match self.requests.last_mut() {
            Some(request) if continues && request.folio == folio => request.pages += 1,
            _ => self.requests.push(HashRequest {
                inode: key.address,
                ino: key.ino,
                index: page.0,
                folio,
                generation: key.generation,
                dev: key.dev.0,
                pages: 1,
                first_result: 0,
            }),
        }
        self.pages.push((inode, page));
    }

    /// Pages that still fit.
    pub(super) fn room(&self) -> u64 {
        (HASH_BATCH_PAGES - self.pages.len()) as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The pages, in order.
    pub(super) fn pages(&self) -> impl Iterator<Item = (InodeId, PageIndex)> + '_ {
        self.pages.iter().copied()
    }

    /// Runs of consecutive pages of one inode and what was seen of each; a page that has
    /// to be asked for again is a run of its own.
    pub(super) fn runs<'a>(
        &'a self,
        results: &'a [(u8, u64)],
    ) -> impl Iterator<Item = (InodeId, PageIndex, Vec<Observation>)> + 'a {
        let mut pages = self
            .pages
            .iter()
            .zip(results)
            .map(|((inode, page), (status, hash))| (*inode, *page, observation(*status, *hash)))
            .peekable();
        std::iter::from_fn(move || {
            let (inode, first, seen) = pages.next()?;
            let mut run = vec![seen];
            while let Observation::Hashed(_) | Observation::Absent = run[run.len() - 1] {
                let next = first.offset(run.len() as u64);
                let continues = |(other, page, seen): &(InodeId, PageIndex, Observation)| {
                    *other == inode && *page == next && !matches!(seen, Observation::Skipped(_))
                };
                let Some((_, _, seen)) = pages.next_if(continues) else {
                    break;
                };
                run.push(seen);
            }
            Some((inode, first, run))
        })
    }
}

fn observation(status: u8, hash: u64) -> Observation {
    match status {
        page_status::HASHED => Observation::Hashed(ContentHash(hash)),
        page_status::ABSENT => Observation::Absent,
        page_status::DIRTY => Observation::Skipped(SkipReason::Dirty),
        page_status::WRITEBACK => Observation::Skipped(SkipReason::Writeback),
        page_status::NOT_UPTODATE => Observation::Skipped(SkipReason::NotUptodate),
        page_status::UNREADABLE => Observation::Skipped(SkipReason::Unreadable),
        // RACED, and what no program writes.
        _ => Observation::Skipped(SkipReason::Raced),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_back_in_runs_that_skipped_pages_break() {
        let mut batch = Batch::default();
        let key = InodeKey::default();
        for page in [0, 1, 2, 3, 9] {
            batch.push(InodeId(1), &key, PageIndex(page), 0);
        }
        let results = [
            (page_status::HASHED, 7),
            (page_status::ABSENT, 0),
            (page_status::DIRTY, 0),
            (page_status::HASHED, 8),
            (page_status::HASHED, 9),
        ];
        let hashed = |hash| Observation::Hashed(ContentHash(hash));
        let runs: Vec<_> = batch.runs(&results).collect();
        assert_eq!(
            runs,
            [
                (
                    InodeId(1),
                    PageIndex(0),
                    vec![hashed(7), Observation::Absent]
                ),
                (
                    InodeId(1),
                    PageIndex(2),
                    vec![Observation::Skipped(SkipReason::Dirty)]
                ),
                (InodeId(1), PageIndex(3), vec![hashed(8)]),
                (InodeId(1), PageIndex(9), vec![hashed(9)]),
            ]
        );
    }
}

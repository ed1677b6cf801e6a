//! The counts against a recount of everything that happened, kept the slow way.

use proptest::prelude::*;

use super::*;
use crate::model::{
    inode::InodeKey,
    page::{Observation, SkipReason},
    samples::ZERO,
    units::PageIndex,
};

const INODES: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Add(u32, u64, u64),
    Dirty(u32, u64, u64),
    Learn(u32, u64, Vec<u64>),
    Leaving(u32, u64, Vec<u64>),
    Skip(u32, u64),
    Remove(u32, u64, u64, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let run = || (0..INODES, 0_u64..30, 1_u64..8);
    let contents = || proptest::collection::vec(1_u64..9, 1..6);
    prop_oneof![
        4 => run().prop_map(|(inode, first, pages)| Step::Add(inode, first, pages)),
        1 => run().prop_map(|(inode, first, pages)| Step::Dirty(inode, first, pages)),
        5 => (0..INODES, 0_u64..30, contents()).prop_map(|(inode, first, seen)| Step::Learn(inode, first, seen)),
        2 => (0..INODES, 0_u64..30, contents()).prop_map(|(inode, first, seen)| Step::Leaving(inode, first, seen)),
        1 => (0..INODES, 0_u64..30).prop_map(|(inode, page)| Step::Skip(inode, page)),
        4 => (run(), any::<bool>()).prop_map(|((inode, first, pages), reclaim)| Step::Remove(inode, first, pages, reclaim)),
    ]
}

/// A page as the recount sees it: content, and whether nothing changed it since it came.
type Page = (Option<u64>, bool);

/// Every page, and every event that mattered.
#[derive(Default)]
struct Recount {
    pages: BTreeMap<(u32, u64), Page>,
    sums: Avoidable,
    missed: Vec<u64>,
}

impl Recount {
    fn copies(&self, content: u64) -> usize {
        self.pages
            .values()
            .filter(|page| page.0 == Some(content))
            .count()
    }

    fn duplicates(&self) -> u64 {
        let contents: Vec<u64> = self.pages.values().filter_map(|page| page.0).collect();
        let mut distinct = contents.clone();
        distinct.sort_unstable();
        distinct.dedup();
        (contents.len() - distinct.len()) as u64
    }

    fn learn(&mut self, place: (u32, u64), content: u64) {
        let Some(&(before, fresh)) = self.pages.get(&place) else {
            return;
        };
        if before == Some(content) {
            return;
        }
        self.pages.insert(place, (None, false));
        let resident = self.copies(content) > 0;
        self.missed.retain(|missed| resident || *missed != content);
        if fresh {
            self.sums.read += 1;
            self.sums.avoidable_reads += u64::from(resident && content != ZERO.0);
        }
        self.pages.insert(place, (Some(content), false));
    }

    fn remove(&mut self, place: (u32, u64), reclaim: bool) {
        let Some((content, fresh)) = self.pages.remove(&place) else {
            return;
        };
        self.sums.unknown += u64::from(fresh);
        if !reclaim || place.0 == 0 {
            return;
        }
        self.sums.reclaimed += 1;
        let Some(content) = content else { return };
        self.sums.reclaimed_hashed += 1;
        if self.copies(content) == 0 {
            self.sums.reclaimed_distinct += 1;
            if (self.missed.len() as u64) < self.duplicates() {
                self.missed.push(content);
                self.sums.avoidable_reclaims += 1;
            }
        }
    }
}

fn hashed(contents: &[u64]) -> Vec<ContentHash> {
    contents
        .iter()
        .map(|content| ContentHash(*content))
        .collect()
}

proptest! {
    #[test]
    fn counts_are_those_of_a_recount(steps in proptest::collection::vec(step(), 1..150)) {
        let mut index = ContentIndex::new(ZERO);
        let mut recount = Recount::default();
        // The first has no clean state: nothing of it is read from storage.
        let ids: Vec<InodeId> = (0..INODES).map(|ino| {
            index.intern(InodeKey { ino: u64::from(ino), ..InodeKey::default() }, ino != 0)
        }).collect();
        let id = |inode: u32| ids[inode as usize];
        for step in &steps {
            match step {
                Step::Add(inode, first, pages) => {
                    index.add(id(*inode), PageIndex(*first), *pages, 0);
                    // Two barriers: nothing is contested.
                    index.settle();
                    index.settle();
                    for page in *first..first + pages {
                        let old = recount.pages.insert((*inode, page), (None, *inode != 0));
                        recount.sums.added += u64::from(*inode != 0);
                        recount.sums.unknown += u64::from(old.is_some_and(|old| old.1));
                    }
                }
                Step::Dirty(inode, first, pages) => {
                    index.dirty(id(*inode), PageIndex(*first), *pages);
                    for page in *first..first + pages {
                        if let Some(page) = recount.pages.get_mut(&(*inode, page)) {
                            recount.sums.written += u64::from(page.1);
                            *page = (None, false);
                        }
                    }
                }
                Step::Learn(inode, first, contents) => {
                    let pages = contents.len() as u64;
                    let mut claimed = Vec::new();
                    index.claim(id(*inode), PageIndex(*first), pages, &mut |page| claimed.push(page.0));
                    let seen: Vec<_> = hashed(contents).into_iter().map(Observation::Hashed).collect();
                    index.observe_run(id(*inode), PageIndex(*first), &seen);
                    for (page, content) in (*first..).zip(contents) {
                        if claimed.contains(&page) {
                            recount.learn((*inode, page), *content);
                        }
                    }
                }
                Step::Leaving(inode, first, contents) => {
                    index.observe_leaving(id(*inode), PageIndex(*first), &hashed(contents));
                    for (page, content) in (*first..).zip(contents) {
                        recount.learn((*inode, page), *content);
                    }
                }
                Step::Skip(inode, page) => {
                    index.claim(id(*inode), PageIndex(*page), 1, &mut |_| {});
                    index.observe(id(*inode), PageIndex(*page), Observation::Skipped(SkipReason::Raced));
                }
                Step::Remove(inode, first, pages, reclaim) => {
                    if *reclaim {
                        index.reclaim(id(*inode), PageIndex(*first), *pages, 0, &mut |_| {});
                    } else {
                        index.remove(id(*inode), PageIndex(*first), *pages, 0, &mut |_| {});
                    }
                    for page in *first..first + pages {
                        recount.remove((*inode, page), *reclaim);
                    }
                }
            }
            prop_assert_eq!(index.avoidable(), &recount.sums, "after {:?}", step);
            let fresh = recount.pages.values().filter(|page| page.1).count() as u64;
            prop_assert_eq!(index.avoidable().waiting(), fresh);
        }
        let mut images = ByImage::default();
        images.absorb(&mut index, &Identities::default());
        prop_assert_eq!(images.elsewhere, Part::default(), "inodes that have no name yet wait");
        for inode in ids {
            index.retire(inode);
        }
        images.absorb(&mut index, &Identities::default());
        let Avoidable { avoidable_reads: reads, avoidable_reclaims: reclaims, .. } = recount.sums;
        prop_assert_eq!(images.elsewhere, Part { reads, reclaims });
        prop_assert_eq!(index.avoidable().waiting(), 0);
    }
}

#[test]
fn a_file_has_its_part_as_long_as_it_is_known() {
    let mut index = ContentIndex::new(ZERO);
    let mut identities = Identities::default();
    let inode = |index: &mut ContentIndex, ino| {
        index.intern(
            InodeKey {
                ino,
                ..InodeKey::default()
            },
            true,
        )
    };
    let (one, two) = (inode(&mut index, 1), inode(&mut index, 2));
    for inode in [one, two] {
        index.add(inode, PageIndex(0), 1, 0);
        index.claim(inode, PageIndex(0), 1, &mut |_| {});
        let content = Observation::Hashed(ContentHash(7));
        assert!(index.observe(inode, PageIndex(0), content));
        identities.files.insert(inode, named());
    }
    let mut images = ByImage::default();
    images.absorb(&mut index, &identities);
    let avoidable = Part {
        reads: 1,
        reclaims: 0,
    };
    assert_eq!(
        [one, two].map(|inode| images.of_file(inode)),
        [Part::default(), avoidable]
    );
}

fn named() -> crate::model::measurement::FileIdentity {
    crate::model::measurement::FileIdentity {
        filesystem: 0,
        path: "/a".to_owned(),
        named: true,
        deleted: false,
        size: 4096,
        links: 1,
        place: crate::model::measurement::Place::default(),
    }
}

//! Whatever happens to an index, its journal makes the same index again.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::model::{
    duplicates::Duplicates, inode::Dev, memcgs::memcg_rows, page::PageState, samples::ZERO,
};

#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<Change>>>);

impl Journal for Tape {
    fn note(&mut self, change: Change) {
        self.0.lock().expect("one thread").push(change);
    }
}

/// Pages that the machine of these tests has memory for.
const MOST: u64 = 1 << 20;

/// Random steps as hooks, census and workers take them.
fn act(index: &mut ContentIndex, step: (u8, u32, u64, u64, u64)) {
    let (what, ino, page, pages, content) = step;
    let key = InodeKey {
        dev: Dev::new(0, 1),
        ino: u64::from(ino),
        ..InodeKey::default()
    };
    let inode = index.intern(key, ino != 3);
    let first = PageIndex(page);
    let now = u32::try_from(content * 7).expect("small");
    match what {
        0 | 1 => index.add(inode, first, pages, now),
        2 => index.remove(inode, first, pages, now, &mut |_| {}),
        3 => index.dirty(inode, first, pages),
        4 => index.doubt(inode, first, pages),
        5 | 6 => index.claim(inode, first, pages, &mut |_| {}),
        7 | 8 => {
            let seen: Vec<_> = (0..pages)
                .map(|page| match (page + content) % 5 {
                    0 => Observation::Skipped(SkipReason::Raced),
                    1 => Observation::Absent,
                    _ => Observation::Hashed(ContentHash(content + page / 3)),
                })
                .collect();
            index.observe_run(inode, first, &seen);
        }
        9 => {
            index.observe(inode, first, Observation::Hashed(ContentHash(content)));
        }
        10 => index.settle(),
        11 => index.begin_census(),
        12 => index.see(inode, first, pages, content % 2 == 0, now, &mut |_| {}),
        13 => index.end_census(&mut |_, _| {}),
        14 => index.retire(inode),
        15 => index.reclaim(inode, first, pages, now, &mut |_| {}),
        16 => index.charge(inode, first, pages, MemcgId(content)),
        17 => {
            let contents = (0..pages).map(|page| ContentHash(content + page / 2));
            index.observe_leaving(inode, first, &contents.collect::<Vec<_>>());
        }
        18 => index.map_writably(inode, content % 2 == 0),
        _ => index.retire_empty(&mut |_| {}),
    }
}

fn all_pages(index: &ContentIndex) -> Vec<(InodeId, InodeKey, PageIndex, PageState)> {
    index
        .inodes()
        .flat_map(|inode| {
            inode
                .pages()
                .map(move |(page, state)| (inode.id, *inode.key, page, state))
        })
        .collect()
}

proptest! {
    #[test]
    fn the_journal_makes_the_same_index(
        steps in proptest::collection::vec((0_u8..20, 0_u32..4, 0_u64..90, 1_u64..40, 0_u64..9), 1..120),
    ) {
        let tape = Tape::default();
        let mut live = ContentIndex::new(ZERO);
        live.keep_journal(Box::new(tape.clone()));
        let mut played = ContentIndex::new(ZERO);
        for step in steps {
            act(&mut live, step);
            for change in tape.0.lock().expect("one thread").drain(..) {
                change.apply(&mut played, MOST, &mut |_| {}).expect("a change that was made");
            }
            prop_assert_eq!(live.totals(), played.totals());
        }
        prop_assert_eq!(all_pages(&live), all_pages(&played));
        prop_assert_eq!(live.activity().added, played.activity().added);
        prop_assert_eq!(live.avoidable(), played.avoidable());
        prop_assert_eq!(memcg_rows(&Duplicates::of(&live)), memcg_rows(&Duplicates::of(&played)));
    }
}

#[test]
fn forged_changes_are_refused() {
    let mut index = ContentIndex::new(ZERO);
    let inode = index.intern(InodeKey::default(), true);
    for (first, pages) in [(0, u64::MAX), (u64::MAX, 2), (0, MOST + 1)] {
        let run = Pages {
            inode,
            first: PageIndex(first),
            pages,
        };
        for change in [
            Change::Add(run, 0),
            Change::Found(run, 0),
            Change::Absent(run),
        ] {
            assert!(change.apply(&mut index, MOST, &mut |_| {}).is_err());
        }
    }
}

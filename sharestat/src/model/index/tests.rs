//! The index against a naive model of the same rules that recounts everything.

use proptest::prelude::*;

use super::*;
use crate::model::page::Observation;
use naive::Naive;

mod naive;

const ZERO: ContentHash = ContentHash(7);

#[derive(Clone, Debug)]
enum Step {
    Add(usize, u64, u64),
    Remove(usize, u64, u64),
    Dirty(usize, u64, u64),
    Claim(usize, u64, u64),
    Observe(usize, u64, Observation),
    Insert(usize, u64, Observation),
    ObserveRun(usize, u64, Vec<Observation>),
    InsertRun(usize, u64, Vec<Observation>),
    BeginCensus,
    See(usize, u64, u64, bool),
    EndCensus,
    Settle,
    Retire(usize),
}

/// What a step told its caller, in order.
#[derive(Debug, PartialEq)]
enum Told {
    Removed(RemovedPage),
    Claimed(PageIndex),
    Taken(bool),
    TakenOfRun(u64),
    Doubtful(InodeId, PageIndex),
}

fn observation() -> impl Strategy<Value = Observation> {
    prop_oneof![
        6 => (0_u64..12).prop_map(|hash| Observation::Hashed(ContentHash(hash))),
        2 => (0_usize..6).prop_map(|reason| Observation::Skipped(SkipReason::ALL[reason])),
        1 => Just(Observation::Absent),
    ]
}

/// Runs that cross chunks and windows, at the start, the middle and the end of a file.
fn page() -> impl Strategy<Value = u64> {
    (
        prop_oneof![
            Just(0),
            Just(50),
            Just(2000),
            Just(1 << 40),
            Just(u64::MAX - 70)
        ],
        0_u64..70,
    )
        .prop_map(|(base, page)| base + page)
}

fn step() -> impl Strategy<Value = Step> {
    let run = || (0_usize..4, page(), 0_u64..150);
    let run = || {
        run().prop_map(|(inode, first, pages)| {
            // No run reaches beyond the last page index.
            (inode, first, pages.min(u64::MAX - first))
        })
    };
    let looks = || {
        let seen = proptest::collection::vec(observation(), 0..100);
        (0_usize..4, page(), seen).prop_map(|(inode, first, mut seen)| {
            seen.truncate(usize::try_from(u64::MAX - first).unwrap_or(usize::MAX));
            (inode, first, seen)
        })
    };
    prop_oneof![
        6 => run().prop_map(|(inode, first, pages)| Step::Add(inode, first, pages)),
        3 => run().prop_map(|(inode, first, pages)| Step::Remove(inode, first, pages)),
        2 => run().prop_map(|(inode, first, pages)| Step::Dirty(inode, first, pages)),
        4 => run().prop_map(|(inode, first, pages)| Step::Claim(inode, first, pages)),
        12 => (0_usize..4, page(), observation()).prop_map(|(inode, page, seen)| Step::Observe(inode, page, seen)),
        12 => (0_usize..4, page(), observation()).prop_map(|(inode, page, seen)| Step::Insert(inode, page, seen)),
        3 => looks().prop_map(|(inode, first, seen)| Step::ObserveRun(inode, first, seen)),
        2 => looks().prop_map(|(inode, first, seen)| Step::InsertRun(inode, first, seen)),
        1 => Just(Step::BeginCensus),
        2 => (run(), any::<bool>())
            .prop_map(|((inode, first, pages), doubtful)| Step::See(inode, first, pages, doubtful)),
        1 => Just(Step::EndCensus),
        2 => Just(Step::Settle),
        1 => (0_usize..4).prop_map(Step::Retire),
    ]
}

fn apply(index: &mut ContentIndex, ids: &[InodeId], step: &Step, now_ms: u32) -> Vec<Told> {
    let mut told = Vec::new();
    match *step {
        Step::Add(inode, first, pages) => index.add(ids[inode], PageIndex(first), pages, now_ms),
        Step::Remove(inode, first, pages) => {
            index.remove(ids[inode], PageIndex(first), pages, now_ms, &mut |page| {
                told.push(Told::Removed(page));
            });
        }
        Step::Dirty(inode, first, pages) => index.dirty(ids[inode], PageIndex(first), pages),
        Step::Claim(inode, first, pages) => {
            index.claim(ids[inode], PageIndex(first), pages, &mut |page| {
                told.push(Told::Claimed(page));
            });
        }
        Step::Observe(inode, page, seen) => {
            told.push(Told::Taken(index.observe(
                ids[inode],
                PageIndex(page),
                seen,
            )));
        }
        Step::Insert(inode, page, seen) => index.insert(ids[inode], PageIndex(page), seen),
        Step::ObserveRun(inode, first, ref seen) => {
            let taken = index.observe_run(ids[inode], PageIndex(first), seen);
            told.push(Told::TakenOfRun(taken));
        }
        Step::InsertRun(inode, first, ref seen) => {
            index.insert_run(ids[inode], PageIndex(first), seen);
        }
        Step::BeginCensus => index.begin_census(),
        Step::See(inode, first, pages, doubtful) => {
            let first = PageIndex(first);
            index.see(ids[inode], first, pages, doubtful, now_ms, &mut |page| {
                told.push(Told::Claimed(page));
            });
        }
        Step::EndCensus => index.end_census(&mut |inode, page| {
            told.push(Told::Doubtful(inode, page));
        }),
        Step::Settle => index.settle(),
        Step::Retire(inode) => index.retire(ids[inode]),
    }
    told
}

fn key(ino: u64) -> InodeKey {
    InodeKey {
        ino,
        ..InodeKey::default()
    }
}

/// The last inode is on a filesystem without a clean state.
fn intern_all(index: &mut ContentIndex) -> Vec<InodeId> {
    (0..4).map(|ino| index.intern(key(ino), ino != 3)).collect()
}

proptest! {
    #[test]
    fn any_order_of_steps_gives_what_a_recount_gives(steps in proptest::collection::vec(step(), 1..80)) {
        let mut index = ContentIndex::new(ZERO);
        let mut naive = Naive::default();
        let mut ids = intern_all(&mut index);
        for (now_ms, step) in (1..).zip(&steps) {
            let before = index.generation();
            let told = apply(&mut index, &ids, step, now_ms);
            prop_assert_eq!(told, naive.apply(&ids, step, now_ms), "after {:?}", step);
            if let Step::Retire(inode) = *step {
                prop_assert!(index.view(ids[inode]).is_none());
                let next = index.intern(key(inode as u64), inode != 3);
                prop_assert_ne!(next, ids[inode], "an id is not given twice");
                ids[inode] = next;
            }
            let totals = index.totals();
            prop_assert_eq!(totals, naive.totals(ids[3]), "after {:?}", step);
            prop_assert_eq!(totals.resident, totals.hashed + totals.skipped_pages());
            prop_assert_eq!(totals.hashed, totals.distinct + totals.duplicate);
            if matches!(step, Step::BeginCensus | Step::Settle) {
                prop_assert_eq!(index.generation(), before, "nothing moved");
            }
        }
        for inode in index.inodes() {
            let naive: Vec<_> = naive.pages.range((inode.id, 0)..=(inode.id, u64::MAX))
                .map(|(&(_, page), there)| (PageIndex(page), there.state)).collect();
            prop_assert_eq!(inode.resident(), naive.len() as u64);
            let hashed = naive.iter().filter(|(_, state)| state.content().is_some()).count();
            prop_assert_eq!(inode.hashed(), hashed as u64);
            prop_assert_eq!(inode.pages().collect::<Vec<_>>(), naive);
        }
        for hash in (0..12).map(ContentHash) {
            prop_assert_eq!(index.copies(hash), naive.copies(hash));
        }
        let mut waiting = Vec::new();
        index.pending_runs(&mut |inode, first, pages| {
            waiting.extend((0..pages).map(|page| (inode, first.0 + page)));
        });
        let pending: Vec<_> = naive.pages.iter()
            .filter(|(_, page)| page.state == PageState::Pending)
            .map(|(&place, _)| place).collect();
        prop_assert_eq!(waiting, pending);
    }
}

fn one_inode() -> (ContentIndex, InodeId) {
    let mut index = ContentIndex::new(ZERO);
    let inode = index.intern(key(1), true);
    (index, inode)
}

#[test]
fn the_same_key_keeps_its_id() {
    let (mut index, inode) = one_inode();
    assert_eq!(index.intern(key(1), true), inode);
    assert_eq!(index.find(&key(1)), Some(inode));
    assert_eq!(index.key(inode), Some(&key(1)));
    assert_eq!(index.find(&key(2)), None);
}

#[test]
fn a_result_that_comes_after_an_event_is_dropped() {
    let (mut index, inode) = one_inode();
    index.add(inode, PageIndex(0), 3, 10);
    index.claim(inode, PageIndex(0), 3, &mut |_| {});
    index.dirty(inode, PageIndex(0), 1);
    index.remove(inode, PageIndex(1), 1, 20, &mut |_| {});
    let seen = Observation::Hashed(ContentHash(1));
    assert!(!index.observe(inode, PageIndex(0), seen));
    assert!(!index.observe(inode, PageIndex(1), seen));
    assert!(index.observe(inode, PageIndex(2), seen));
    assert_eq!((index.totals().resident, index.totals().hashed), (2, 1));
}

#[test]
fn a_removal_that_crossed_an_add_is_probed_until_two_barriers_have_passed() {
    for barriers in 0..=2 {
        let (mut index, inode) = one_inode();
        index.add(inode, PageIndex(0), 1, 0);
        index.add(inode, PageIndex(0), 1, 5);
        (0..barriers).for_each(|_| index.settle());
        let mut removed = 0;
        index.remove(inode, PageIndex(0), 1, 9, &mut |_| removed += 1);
        assert_eq!(removed, u32::from(barriers == 2), "{barriers} barriers");
    }
}

#[test]
fn a_removed_page_tells_its_content_the_copies_left_and_its_age() {
    let (mut index, inode) = one_inode();
    index.add(inode, PageIndex(0), 2, 100);
    for page in 0..2 {
        index.insert(inode, PageIndex(page), Observation::Hashed(ContentHash(5)));
    }
    let mut removed = Vec::new();
    index.remove(inode, PageIndex(0), u64::MAX, 160, &mut |page| {
        removed.push(page);
    });
    let page = |copies_left| RemovedPage {
        hash: Some(ContentHash(5)),
        copies_left,
        resident_ms: 60,
    };
    assert_eq!(removed, [page(1), page(0)]);
    let mut retired = Vec::new();
    index.retire_empty(&mut |inode| retired.push(inode));
    assert_eq!(retired, [inode]);
}

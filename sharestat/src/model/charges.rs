//! Which memory cgroup each page of an inode is charged to: one for the whole inode as
//! long as one is all there is, else the places where it changes. Most inodes take no
//! memory for it; one read by many cgroups takes as much as its charges alternate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A memory cgroup: the inode number of its directory in the hierarchy that charges
/// memory, which is the kernel's `kernfs_node.id`; 0 for pages charged to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemcgId(pub u64);

impl MemcgId {
    /// Nobody is charged.
    pub const UNCHARGED: Self = Self(0);
}

/// The charges of one inode's pages. What it says of pages that are not resident means
/// nothing.
#[derive(Clone, Debug, Default)]
pub(super) enum Charges {
    /// Nothing was told.
    #[default]
    Unknown,
    /// All pages.
    One(MemcgId),
    /// Each from this page index on; the first is at 0.
    #[expect(
        clippy::box_collection,
        reason = "rare, and every inode has one of these: a pointer is a third of a map"
    )]
    From(Box<BTreeMap<u64, Option<MemcgId>>>),
}

impl Charges {
    /// The pages `first..=last` are charged to `memcg`; `others` says whether the inode
    /// has resident pages besides. False when that is no news.
    pub(super) fn set(&mut self, first: u64, last: u64, memcg: MemcgId, others: bool) -> bool {
        if !others {
            let news = !matches!(self, Self::One(known) if *known == memcg);
            *self = Self::One(memcg);
            return news;
        }
        match self {
            Self::One(known) if *known == memcg => return false,
            Self::Unknown => *self = Self::From(Box::new([(0, None)].into())),
            Self::One(known) => *self = Self::From(Box::new([(0, Some(*known))].into())),
            Self::From(_) => {}
        }
        let Self::From(starts) = self else {
            return false;
        };
        let news = overwrite(starts, first, last, memcg);
        if let (1, Some(Some(only))) = (starts.len(), starts.get(&0)) {
            *self = Self::One(*only);
        }
        news
    }

    /// Where the charge changes, from page 0 on, in order.
    pub(super) fn starts(&self) -> impl Iterator<Item = (u64, Option<MemcgId>)> + '_ {
        let (one, several) = match self {
            Self::Unknown => (Some((0, None)), None),
            Self::One(memcg) => (Some((0, Some(*memcg))), None),
            Self::From(starts) => (None, Some(starts)),
        };
        let several = several.into_iter().flat_map(|starts| starts.iter());
        one.into_iter()
            .chain(several.map(|(&start, &memcg)| (start, memcg)))
    }

    /// Heap bytes, estimated; ordered-map nodes are taken to be 60 % full.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Unknown | Self::One(_) => 0,
            Self::From(starts) => starts.len() * size_of::<(u64, Option<MemcgId>)>() * 10 / 6,
        }
    }
}

/// Sets a range of a map of starts, and joins equal neighbours.
fn overwrite(
    starts: &mut BTreeMap<u64, Option<MemcgId>>,
    first: u64,
    last: u64,
    memcg: MemcgId,
) -> bool {
    let at = |starts: &BTreeMap<u64, Option<MemcgId>>, page: u64| {
        starts
            .range(..=page)
            .next_back()
            .and_then(|(_, memcg)| *memcg)
    };
    let changes = first < last && starts.range(first + 1..=last).next().is_some();
    if at(starts, first) == Some(memcg) && !changes {
        return false;
    }
    if let Some(behind) = last.checked_add(1) {
        let there = at(starts, behind);
        starts.insert(behind, there);
    }
    let covered: Vec<u64> = starts
        .range(first..=last)
        .map(|(start, _)| *start)
        .collect();
    for start in covered {
        starts.remove(&start);
    }
    starts.insert(first, Some(memcg));
    for edge in [Some(first), last.checked_add(1)].into_iter().flatten() {
        let before = edge.checked_sub(1).map(|page| at(starts, page));
        if before.is_some() && before == starts.get(&edge).copied() {
            starts.remove(&edge);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGES: u64 = 40;

    fn charge_of(charges: &Charges, page: u64) -> Option<MemcgId> {
        let before = charges.starts().take_while(|(start, _)| *start <= page);
        before.last().and_then(|(_, memcg)| memcg)
    }

    proptest! {
        #[test]
        fn every_page_has_the_charge_that_was_told_last(
            steps in proptest::collection::vec((0..PAGES, 1..12_u64, 0_u64..3), 0..60)
        ) {
            let mut charges = Charges::default();
            let mut naive: BTreeMap<u64, MemcgId> = BTreeMap::new();
            for (first, pages, memcg) in steps {
                let last = first + pages - 1;
                let memcg = MemcgId(memcg);
                let others = naive.keys().any(|page| *page < first || *page > last);
                let known = (first..=last).all(|page| charge_of(&charges, page) == Some(memcg));
                let news = charges.set(first, last, memcg, others);
                prop_assert!(news || known);
                if !others {
                    naive.clear();
                }
                naive.extend((first..=last).map(|page| (page, memcg)));
                for (page, memcg) in &naive {
                    prop_assert_eq!(charge_of(&charges, *page), Some(*memcg), "page {}", page);
                }
                let starts: Vec<_> = charges.starts().collect();
                prop_assert_eq!(starts[0].0, 0);
                for pair in starts.windows(2) {
                    prop_assert!(pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1, "{:?}", starts);
                }
            }
        }
    }

    #[test]
    fn an_inode_of_one_memcg_takes_no_memory_and_says_nothing_new() {
        let mut charges = Charges::default();
        assert!(charges.set(0, 9, MemcgId(7), false));
        assert!(!charges.set(10, 19, MemcgId(7), true));
        assert!(!charges.set(3, 3, MemcgId(7), true));
        assert_eq!(charges.memory_bytes(), 0);
        assert!(charges.set(5, u64::MAX, MemcgId(8), true));
        assert!(charges.set(0, 4, MemcgId(8), true));
        assert!(matches!(charges, Charges::One(MemcgId(8))));
    }
}

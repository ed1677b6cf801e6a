//! Paths below which nothing of a lower layer shows.

use std::{cmp::Ordering, collections::BTreeSet};

/// A set of paths that knows what is below them, in a number of comparisons that grows with
/// the logarithm of the paths and not with the depth of any.
#[derive(Debug, Default)]
pub(super) struct Covered<'c> {
    /// None of them is below another.
    tops: BTreeSet<Path<'c>>,
}

/// Ordered so that all that is below a path follows it at once: `/` is before any other byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Path<'c>(&'c [u8]);

impl Ord for Path<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // No path has a zero in it.
        let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        self.0.iter().map(rank).cmp(other.0.iter().map(rank))
    }
}

impl PartialOrd for Path<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Path<'_> {
    fn is_below(self, above: Self) -> bool {
        let rest = self.0.strip_prefix(above.0);
        rest.is_some_and(|rest| !rest.is_empty() && (above.0.is_empty() || rest[0] == b'/'))
    }
}

impl<'c> Covered<'c> {
    /// From now on, what is below the path is covered.
    pub(super) fn insert(&mut self, path: &'c [u8]) {
        if self.has_above(path) {
            return;
        }
        let path = Path(path);
        let after = self.tops.range(path..);
        let below = after.skip_while(|top| **top == path);
        let below: Vec<Path<'c>> = below
            .take_while(|top| top.is_below(path))
            .copied()
            .collect();
        for top in below {
            self.tops.remove(&top);
        }
        self.tops.insert(path);
    }

    /// Whether the path is below one of them.
    pub(super) fn has_above(&self, path: &'c [u8]) -> bool {
        // Were another one above the path, the last before it would be below that one.
        let before = self.tops.range(..Path(path)).next_back();
        before.is_some_and(|top| Path(path).is_below(*top))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::offline::path::parents;

    proptest! {
        #[test]
        fn it_covers_what_has_a_parent_in_it(
            inserted in proptest::collection::vec("([-0ab](/[-0ab]){0,3})?", 0..12),
            asked in "[-0ab](/[-0ab]){0,5}",
        ) {
            let mut covered = Covered::default();
            let mut plain = HashSet::new();
            for path in &inserted {
                covered.insert(path.as_bytes());
                plain.insert(path.as_bytes());
            }
            let expected = parents(asked.as_bytes()).any(|parent| plain.contains(parent));
            prop_assert_eq!(covered.has_above(asked.as_bytes()), expected);
        }
    }
}

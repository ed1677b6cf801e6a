//! Since when copies are cached: the arrival of the first page of a file that holds a
//! content which another file holds too.

use std::collections::HashSet;

use super::{index::ContentIndex, inode::InodeId, units::ContentHash};

/// For each of `others`, when the first of its pages came whose content `of` holds too, in
/// milliseconds since the measurement began; `None` when there is no such page. Zero pages
/// do not count, as in [`partners`](super::files::partners).
#[must_use]
pub fn shared_since(index: &ContentIndex, of: InodeId, others: &[InodeId]) -> Vec<Option<u32>> {
    let view = index.view(of);
    let own = view.into_iter().flat_map(|view| view.contents());
    let contents: HashSet<ContentHash> = own
        .map(|(_, content)| content)
        .filter(|content| *content != index.zero())
        .collect();
    let first = |other: &InodeId| {
        let arrivals = index.view(*other)?.arrivals();
        let shared = arrivals.filter(|(content, _)| contents.contains(content));
        shared.map(|(_, arrived_ms)| arrived_ms).min()
    };
    others.iter().map(first).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{files::partners, samples};

    proptest! {
        #[test]
        fn exactly_partners_have_a_first_arrival(index in samples::index()) {
            let all: Vec<InodeId> = index.inodes().map(|inode| inode.id).collect();
            for of in &all {
                let found = partners(&index, &[*of], all.len());
                for (other, since) in all.iter().zip(shared_since(&index, *of, &all)) {
                    let is_partner = found[of].iter().any(|partner| partner.inode == *other);
                    prop_assert!(*other == *of || since.is_some() == is_partner);
                }
            }
        }
    }
}

//! The mechanisms that compare pages, against a recount.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::samples::{self, ZERO, counts, hashed_pages};

fn beyond_the_first<T>(classes: &BTreeMap<T, u64>) -> (Bytes, u64) {
    let saved = classes.values().map(|copies| copies - 1).sum();
    let groups = classes.values().filter(|copies| **copies > 1).count();
    (Bytes::of_pages(saved), groups as u64)
}

proptest! {
    #[test]
    fn mechanisms_save_what_their_classes_hold_beyond_the_first(index in samples::index()) {
        let pages: Vec<_> = hashed_pages(&index).into_iter()
            .filter(|page| index.view(page.0).is_some_and(|inode| inode.eligible)).collect();
        let not_zero = || pages.iter().filter(|page| page.2 != ZERO);
        let expected = [
            ("content", beyond_the_first(&counts(not_zero().map(|page| page.2)))),
            ("offset", beyond_the_first(&counts(not_zero().map(|page| (page.2, page.1))))),
            ("zero", beyond_the_first(&counts(pages.iter().filter(|page| page.2 == ZERO).map(|page| page.2)))),
        ];
        let clean = hashed_pages(&index).into_iter()
            .filter(|page| index.view(page.0).is_some_and(|inode| inode.has_clean_state()));
        let (unmapped, _) = beyond_the_first(&counts(
            clean.map(|page| page.2).filter(|content| *content != ZERO),
        ));
        let rows = savings(&index, &Identities::default()).mechanisms;
        for (name, saving) in expected {
            let row = rows.iter().find(|row| row.name == name).expect("it is listed");
            prop_assert_eq!((row.saving, row.groups), saving, "{}", name);
        }
        for row in rows.iter().filter(|row| row.name != "zero") {
            let beyond: Bytes = row.out_of_reach.iter().map(|(_, bytes)| *bytes).sum();
            prop_assert_eq!(row.saving + beyond, unmapped, "{}", row.name);
        }
    }
}

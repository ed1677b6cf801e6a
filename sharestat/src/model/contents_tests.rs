//! The table of contents against a plain map, and its memory.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// A key whose place is `place`: the inverse of [`spread`], found by Newton's method.
fn key_at(place: u64) -> u64 {
    let odd = spread(1);
    let inverse = (0..6).fold(odd, |inverse, _| {
        inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)))
    });
    place.wrapping_mul(inverse)
}

/// 240 keys of one shard, in clusters that run into each other and around its end,
/// and the special key among them.
fn key() -> impl Strategy<Value = u64> {
    (0_u64..30, 0_u64..8).prop_map(|(cluster, number)| key_at((cluster << 53) + number))
}

proptest! {
    #[test]
    fn agrees_with_a_hash_map(steps in proptest::collection::vec((0..5, key()), 0..1500)) {
        let mut table = Contents::default();
        let mut reference: HashMap<u64, u32> = HashMap::new();
        for (position, &(choice, key)) in steps.iter().enumerate() {
            // Grows in the first half, shrinks in the second.
            let grow = if position * 2 < steps.len() { choice > 0 } else { choice == 0 };
            if grow {
                let copies = reference.entry(key).or_default();
                *copies += 1;
                prop_assert_eq!(table.insert(ContentHash(key)), *copies);
            } else {
                let left = reference.get(&key).map_or(0, |copies| copies - 1);
                prop_assert_eq!(table.remove(ContentHash(key)), left);
                if left == 0 { reference.remove(&key); } else { reference.insert(key, left); }
            }
            prop_assert_eq!(table.distinct(), reference.len() as u64);
        }
        for (_, key) in steps {
            let copies = reference.get(&key).copied().unwrap_or(0);
            prop_assert_eq!(table.copies(ContentHash(key)), copies);
        }
        let listed: HashMap<u64, u32> = table.iter().map(|(key, copies)| (key.0, copies)).collect();
        prop_assert_eq!(listed, reference);
    }
}

#[test]
fn grows_and_shrinks_within_its_memory_bound() {
    let mut table = Contents::default();
    for key in 1..=300_000_u64 {
        table.insert(ContentHash(key));
        assert!(
            key < 50_000 || table.memory_bytes() <= 18 * key,
            "at {key} contents"
        );
    }
    for key in (50_001..=300_000_u64).rev() {
        assert_eq!(table.remove(ContentHash(key)), 0);
        assert!(table.memory_bytes() <= 21 * key, "at {key} contents");
    }
    assert_eq!(table.distinct(), 50_000);
    assert!((1..=50_000).all(|key| table.copies(ContentHash(key)) == 1));
}

#[test]
fn room_that_was_made_is_used() {
    let mut table = Contents::default();
    table.insert(ContentHash(7));
    table.reserve(100_000);
    let bytes = table.memory_bytes();
    for key in 1..=90_000_u64 {
        table.insert(ContentHash(key));
    }
    assert_eq!(table.memory_bytes(), bytes);
    assert_eq!(table.distinct(), 90_000);
    assert_eq!(table.copies(ContentHash(7)), 2);
    table.reserve(10);
    assert_eq!(table.memory_bytes(), bytes);
}

#[test]
fn annotations_belong_to_their_content() {
    let mut table = Contents::default();
    for key in 0..1000 {
        table.insert(ContentHash(key));
    }
    let mut notes = table.annotate(0_u64);
    let mut sum = 0;
    notes.each(|content, copies, note| {
        *note = content.0 + 1;
        sum += u64::from(copies) * content.0;
    });
    assert_eq!(sum, 999 * 500);
    for key in 0..1000 {
        assert_eq!(notes.get(ContentHash(key)), Some(key + 1));
    }
    assert_eq!(notes.get(ContentHash(1000)), None);
}

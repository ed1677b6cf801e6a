//! The content table: hash → number of resident copies, 14 to 18 bytes per distinct
//! content while it grows (21 at most while it shrinks).
//!
//! Open addressing with linear probing in 64 shards, so that growing copies one shard
//! at a time: neither a pause nor twice the memory. Pure.

use super::units::ContentHash;

const SHARD_BITS: u32 = 6;
const SHARDS: usize = 1 << SHARD_BITS;

/// Capacity of a shard that holds its first content.
const FIRST_CAPACITY: usize = 8;

/// A key that marks a free slot. The content with this hash is counted apart.
const FREE: u64 = 0;

/// How many resident copies each content has.
#[derive(Clone)]
pub struct Contents {
    shards: Vec<Shard>,
    /// Copies of the content whose hash is [`FREE`].
    copies_of_free: u32,
    distinct: u64,
}

#[derive(Clone, Default)]
struct Shard {
    slots: Box<[Slot]>,
    used: usize,
}

/// Key and copies side by side, so that a look-up waits for memory once; packed, because
/// padding would cost a third more.
#[derive(Clone, Copy, Default)]
#[repr(C, packed(4))]
struct Slot {
    key: u64,
    copies: u32,
}

impl Default for Contents {
    fn default() -> Self {
        Self {
            shards: std::iter::repeat_with(Shard::default)
                .take(SHARDS)
                .collect(),
            copies_of_free: 0,
            distinct: 0,
        }
    }
}

impl Contents {
    /// Counts one more copy and returns how many there are now.
    pub fn insert(&mut self, content: ContentHash) -> u32 {
        let copies = if content.0 == FREE {
            self.copies_of_free += 1;
            self.copies_of_free
        } else {
            self.shards[shard_of(content.0)].insert(content.0)
        };
        self.distinct += u64::from(copies == 1);
        copies
    }

    /// Counts one copy less and returns how many are left; 0 also when there was none.
    pub fn remove(&mut self, content: ContentHash) -> u32 {
        let left = if content.0 == FREE {
            let before = self.copies_of_free;
            self.copies_of_free = before.saturating_sub(1);
            (before > 0).then_some(self.copies_of_free)
        } else {
            self.shards[shard_of(content.0)].remove(content.0)
        };
        self.distinct -= u64::from(left == Some(0));
        left.unwrap_or(0)
    }

    /// Resident copies of a content.
    #[must_use]
    pub fn copies(&self, content: ContentHash) -> u32 {
        if content.0 == FREE {
            return self.copies_of_free;
        }
        let shard = &self.shards[shard_of(content.0)];
        shard
            .find(content.0)
            .map_or(0, |position| shard.slots[position].copies)
    }

    /// Reads the slots where the look-up of each content will begin, so that memory
    /// answers for all of them at once instead of one after the other.
    pub(super) fn warm_up(&self, contents: impl Iterator<Item = ContentHash>) {
        let touched = contents.fold(0, |touched, content| {
            let shard = &self.shards[shard_of(content.0)];
            let slot = shard.slots.get(home_of(content.0, shard.capacity()));
            touched ^ slot.map_or(0, |slot| slot.key)
        });
        std::hint::black_box(touched);
    }

    /// Number of different contents.
    #[must_use]
    pub const fn distinct(&self) -> u64 {
        self.distinct
    }

    /// Every content with its copies, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (ContentHash, u32)> + '_ {
        let free = (self.copies_of_free > 0).then_some((FREE, self.copies_of_free));
        let shards = self.shards.iter().flat_map(|shard| {
            let slots = shard
                .slots
                .iter()
                .map(|&Slot { key, copies }| (key, copies));
            slots.filter(|&(key, _)| key != FREE)
        });
        free.into_iter()
            .chain(shards)
            .map(|(key, copies)| (ContentHash(key), copies))
    }

    /// A value for every content, all `initial` at first; costs `size_of::<T>()` per
    /// slot and lives no longer than the table stays unchanged.
    #[must_use]
    pub fn annotate<T: Copy>(&self, initial: T) -> Annotated<'_, T> {
        Annotated {
            shards: self
                .shards
                .iter()
                .map(|shard| vec![initial; shard.capacity()].into_boxed_slice())
                .collect(),
            of_free: initial,
            contents: self,
        }
    }

    /// Heap bytes in use.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let slots: usize = self.shards.iter().map(Shard::capacity).sum();
        (slots * size_of::<Slot>() + SHARDS * size_of::<Shard>()) as u64
    }
}

/// A value beside every content of a [`Contents`] table.
pub struct Annotated<'a, T> {
    shards: Vec<Box<[T]>>,
    of_free: T,
    contents: &'a Contents,
}

impl<T: Copy> Annotated<'_, T> {
    /// The copies and the value of every content, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, T)> + '_ {
        let contents = self.contents;
        let free = (contents.copies_of_free > 0).then_some((contents.copies_of_free, self.of_free));
        let shards = contents.shards.iter().zip(&self.shards);
        let others = shards.flat_map(|(shard, values)| {
            let slots = shard.slots.iter().zip(values);
            slots.filter_map(|(slot, value)| (slot.key != FREE).then_some((slot.copies, *value)))
        });
        free.into_iter().chain(others)
    }

    /// The value of a content, when it is in the table.
    pub fn get_mut(&mut self, content: ContentHash) -> Option<&mut T> {
        if content.0 == FREE {
            return (self.contents.copies_of_free > 0).then_some(&mut self.of_free);
        }
        let number = shard_of(content.0);
        let position = self.contents.shards[number].find(content.0)?;
        Some(&mut self.shards[number][position])
    }
}

/// Spreads a key over all 64 bits (Fibonacci hashing): page hashes would not need it,
/// keys that differ in low bits only would otherwise share one slot.
const fn spread(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The shard of a key: the highest bits.
const fn shard_of(key: u64) -> usize {
    (spread(key) >> (u64::BITS - SHARD_BITS)) as usize
}

/// The first slot to try in a shard of `capacity` slots: the bits below the shard's,
/// multiplied and shifted, so that the capacity can be any number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the product shifted by 64 is below the capacity, which is a usize"
)]
const fn home_of(key: u64, capacity: usize) -> usize {
    (((spread(key) << SHARD_BITS) as u128 * capacity as u128) >> u64::BITS) as usize
}

impl Shard {
    fn capacity(&self) -> usize {
        self.slots.len()
    }

    fn next(&self, position: usize) -> usize {
        if position + 1 == self.capacity() {
            0
        } else {
            position + 1
        }
    }

    fn find(&self, key: u64) -> Option<usize> {
        if self.used == 0 {
            return None;
        }
        let mut position = home_of(key, self.capacity());
        loop {
            let found = self.slots[position].key;
            match found {
                _ if found == key => return Some(position),
                FREE => return None,
                _ => position = self.next(position),
            }
        }
    }

    fn insert(&mut self, key: u64) -> u32 {
        // At most 85 % full: a miss then looks at 22 neighbouring keys on average.
        if (self.used + 1) * 20 > self.capacity() * 17 {
            self.resize((self.capacity() * 5 / 4).max(self.used + FIRST_CAPACITY));
        }
        let mut position = home_of(key, self.capacity());
        loop {
            let found = self.slots[position].key;
            match found {
                _ if found == key => {
                    self.slots[position].copies += 1;
                    return self.slots[position].copies;
                }
                FREE => {
                    self.slots[position] = Slot { key, copies: 1 };
                    self.used += 1;
                    return 1;
                }
                _ => position = self.next(position),
            }
        }
    }

    /// Copies left, `None` when the key was not there.
    fn remove(&mut self, key: u64) -> Option<u32> {
        let position = self.find(key)?;
        self.slots[position].copies -= 1;
        let left = self.slots[position].copies;
        if left == 0 {
            self.vacate(position);
            self.used -= 1;
            if self.used * 5 < self.capacity() * 3 && self.capacity() > 4 * FIRST_CAPACITY {
                self.resize(self.used * 4 / 3 + FIRST_CAPACITY);
            }
        }
        Some(left)
    }

    /// Frees a slot and moves back the keys behind it that a probe could otherwise no
    /// longer reach, so that no tombstones build up.
    fn vacate(&mut self, mut gap: usize) {
        let capacity = self.capacity();
        let distance = |from: usize, to: usize| (to + capacity - from) % capacity;
        let mut position = self.next(gap);
        while self.slots[position].key != FREE {
            let home = home_of(self.slots[position].key, capacity);
            if distance(home, position) >= distance(gap, position) {
                self.slots[gap] = self.slots[position];
                gap = position;
            }
            position = self.next(position);
        }
        self.slots[gap] = Slot::default();
    }

    fn resize(&mut self, capacity: usize) {
        let empty = vec![Slot::default(); capacity].into_boxed_slice();
        for slot in std::mem::replace(&mut self.slots, empty) {
            if slot.key != FREE {
                let mut position = home_of(slot.key, capacity);
                while self.slots[position].key != FREE {
                    position = self.next(position);
                }
                self.slots[position] = slot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn annotations_belong_to_their_content() {
        let mut table = Contents::default();
        for key in 0..1000 {
            table.insert(ContentHash(key));
        }
        let mut notes = table.annotate(0_u64);
        for key in 0..1000 {
            let note = notes.get_mut(ContentHash(key)).expect("it was inserted");
            *note = key;
        }
        for key in 0..1000 {
            assert_eq!(notes.get_mut(ContentHash(key)), Some(&mut { key }));
        }
        assert_eq!(notes.get_mut(ContentHash(1000)), None);
        let sum: u64 = notes
            .iter()
            .map(|(copies, note)| u64::from(copies) * note)
            .sum();
        assert_eq!(sum, 999 * 500);
    }
}

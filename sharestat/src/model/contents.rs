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
    /// Makes room for so many different contents, so that the table need not grow on the way.
    pub(super) fn reserve(&mut self, distinct: u64) {
        let each = usize::try_from(distinct).unwrap_or(usize::MAX) / SHARDS;
        let capacity = each.saturating_mul(20).div_ceil(17) + FIRST_CAPACITY;
        for shard in &mut self.shards {
            if capacity > shard.capacity() {
                shard.resize(capacity);
            }
        }
    }

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
    /// Visits every content with its copies and its value, in no particular order.
    pub fn each(&mut self, mut visit: impl FnMut(ContentHash, u32, &mut T)) {
        let contents = self.contents;
        if contents.copies_of_free > 0 {
            visit(
                ContentHash(FREE),
                contents.copies_of_free,
                &mut self.of_free,
            );
        }
        for (shard, values) in contents.shards.iter().zip(&mut self.shards) {
            for (&Slot { key, copies }, value) in shard.slots.iter().zip(values) {
                if key != FREE {
                    visit(ContentHash(key), copies, value);
                }
            }
        }
    }

    /// The value of a content, when it is in the table.
    #[must_use]
    pub fn get(&self, content: ContentHash) -> Option<T> {
        if content.0 == FREE {
            return (self.contents.copies_of_free > 0).then_some(self.of_free);
        }
        let number = shard_of(content.0);
        let position = self.contents.shards[number].find(content.0)?;
        Some(self.shards[number][position])
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
#[path = "contents_tests.rs"]
mod tests;

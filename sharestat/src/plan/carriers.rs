//! Sets of carriers: which containers show a page, and through which kind of layer. Few
//! sets occur, so each is kept once and known by number, and unions are remembered.

use std::collections::HashMap;

/// Number of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(u32);

/// Who carries a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// No container: a page of the host itself.
    Host,
    /// The container with this number, through a layer that others may show too.
    Lower(u32),
    /// The container with this number, through the layer that it writes to.
    Upper(u32),
}

/// All sets that occurred.
#[derive(Debug, Default)]
pub struct Carriers {
    sets: Vec<Vec<Carrier>>,
    numbers: HashMap<Vec<Carrier>, SetId>,
    unions: HashMap<(SetId, SetId), SetId>,
}

impl Carriers {
    /// The number of a set, in any order.
    pub fn intern(&mut self, mut set: Vec<Carrier>) -> SetId {
        set.sort_unstable();
        set.dedup();
        if let Some(number) = self.numbers.get(&set) {
            return *number;
        }
        let number = SetId(u32::try_from(self.sets.len()).unwrap_or(u32::MAX));
        self.sets.push(set.clone());
        self.numbers.insert(set, number);
        number
    }

    /// The carriers of both.
    pub fn union(&mut self, one: SetId, other: SetId) -> SetId {
        if one == other {
            return one;
        }
        let pair = (one.min(other), one.max(other));
        if let Some(known) = self.unions.get(&pair) {
            return *known;
        }
        let both = [self.of(one), self.of(other)].concat();
        let union = self.intern(both);
        self.unions.insert(pair, union);
        union
    }

    /// The carriers, ascending.
    #[must_use]
    pub fn of(&self, set: SetId) -> &[Carrier] {
        self.sets.get(set.0 as usize).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_have_one_number_and_unions_hold_both() {
        let mut carriers = Carriers::default();
        let one = carriers.intern(vec![Carrier::Lower(2), Carrier::Lower(1)]);
        let same = carriers.intern(vec![Carrier::Lower(1), Carrier::Lower(2)]);
        let other = carriers.intern(vec![Carrier::Upper(2), Carrier::Lower(1)]);
        assert_eq!(one, same);
        let union = carriers.union(one, other);
        assert_eq!(carriers.union(other, one), union);
        let all = [Carrier::Lower(1), Carrier::Lower(2), Carrier::Upper(2)];
        assert_eq!(carriers.of(union), all);
    }
}

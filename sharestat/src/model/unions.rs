//! Joins numbered nodes into sets (union-find with path halving).

/// Sets of nodes `0..len`, each alone at first.
#[derive(Default)]
pub(super) struct Unions {
    parents: Vec<u32>,
    sets: u32,
}

impl Unions {
    /// Makes each of `len` nodes a set of its own.
    pub(super) fn restart(&mut self, len: u32) {
        self.parents.clear();
        self.parents.extend(0..len);
        self.sets = len;
    }

    /// How many sets there are.
    pub(super) const fn sets(&self) -> u32 {
        self.sets
    }

    /// The set of a node, by one of its members.
    fn find(&mut self, mut node: u32) -> u32 {
        while self.parents[node as usize] != node {
            let above = self.parents[self.parents[node as usize] as usize];
            self.parents[node as usize] = above;
            node = above;
        }
        node
    }

    /// Joins the sets of two nodes; false when they were one already.
    pub(super) fn join(&mut self, one: u32, other: u32) -> bool {
        let (one, other) = (self.find(one), self.find(other));
        let (low, high) = (one.min(other), one.max(other));
        self.parents[high as usize] = low;
        self.sets -= u32::from(low != high);
        low != high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_n_takes_n_minus_one_joins() {
        let mut unions = Unions::default();
        unions.restart(6);
        let pairs = [(0, 2), (4, 2), (4, 0), (3, 4), (0, 3), (5, 5)];
        let joins = pairs.map(|(one, other)| unions.join(one, other));
        assert_eq!(joins, [true, true, false, true, false, false]);
        assert_eq!(unions.sets(), 3, "{{0, 2, 3, 4}}, {{1}} and {{5}}");
        unions.restart(6);
        assert!(unions.join(0, 2));
    }
}

//! What the abstract interpretation knows about a register or stack slot: a small set
//! of facts, any of which may hold.

use super::types::TypeId;

/// How a register came to be known as a folio. Later is weaker.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A prototype, a structure member or a return type says so.
    Typed,
    /// Arithmetic on typed values, a list or tree of folios, or its later use as one.
    Derived,
    /// A cast may have made it something else, or only some callers pass a folio.
    Weak,
}

impl Basis {
    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::Derived => "derived",
            Self::Weak => "weak",
        }
    }
}

/// One thing that may be true of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fact {
    /// An address `offset` bytes into an object of type `to`.
    Points {
        /// Type of the object.
        to: TypeId,
        /// Where in it, in bytes.
        offset: i32,
        /// How that is known.
        basis: Basis,
    },
    /// The stack pointer at function entry plus this.
    Stack(i32),
    /// Of unknown type: what the instruction at `def` made, plus `offset`. Uses may
    /// tell its type later.
    Made {
        /// Address of the instruction, or a small number for an argument register.
        def: u64,
        /// What was added since, in bytes.
        offset: i32,
    },
    /// Loaded from `folio->mapping` by the instruction at this address.
    Mapping(u64),
}

impl Fact {
    /// The fact after `bytes` were added to the value.
    fn moved(self, bytes: i32) -> Option<Self> {
        Some(match self {
            Self::Points { to, offset, basis } => Self::Points {
                to,
                offset: offset.checked_add(bytes)?,
                basis,
            },
            Self::Stack(offset) => Self::Stack(offset.checked_add(bytes)?),
            Self::Made { def, offset } => Self::Made {
                def,
                offset: offset.checked_add(bytes)?,
            },
            Self::Mapping(_) => self,
        })
    }

    /// Whether both say the same but for how it is known.
    fn same(self, other: Self) -> bool {
        match (self, other) {
            (
                Self::Points { to, offset, .. },
                Self::Points {
                    to: other_to,
                    offset: other_offset,
                    ..
                },
            ) => to == other_to && offset == other_offset,
            _ => self == other,
        }
    }
}

/// Most facts kept of one value; further ones are lost.
const MOST: usize = 6;

/// What is known of a value. Empty means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    facts: [Fact; MOST],
    count: u8,
}

impl Default for Value {
    fn default() -> Self {
        Self {
            facts: [Fact::Stack(0); MOST],
            count: 0,
        }
    }
}

impl From<Fact> for Value {
    fn from(fact: Fact) -> Self {
        [fact].into_iter().collect()
    }
}

impl FromIterator<Fact> for Value {
    fn from_iter<T: IntoIterator<Item = Fact>>(facts: T) -> Self {
        let mut value = Self::default();
        for fact in facts {
            value.insert(fact);
        }
        value
    }
}

impl Value {
    /// The facts.
    pub(super) fn facts(&self) -> impl Iterator<Item = Fact> + '_ {
        self.facts.iter().take(usize::from(self.count)).copied()
    }

    /// Whether nothing is known.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a fact; says whether the value changed. A stronger basis replaces a weaker.
    pub(super) fn insert(&mut self, fact: Fact) -> bool {
        let count = usize::from(self.count);
        if let Some(known) = self
            .facts
            .iter_mut()
            .take(count)
            .find(|known| known.same(fact))
        {
            if let (Fact::Points { basis, .. }, Fact::Points { basis: other, .. }) = (known, fact)
                && other < *basis
            {
                *basis = other;
                return true;
            }
            return false;
        }
        match self.facts.get_mut(count) {
            Some(free) => {
                *free = fact;
                self.count += 1;
                true
            }
            None => false,
        }
    }

    /// Adds all facts of `other`; says whether the value changed.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        other
            .facts()
            .fold(false, |changed, fact| self.insert(fact) | changed)
    }

    /// The value after `bytes` were added. Where it may be an object or something on the
    /// stack, it is an entry of a list whose head is on the stack; what surrounds an entry
    /// does not surround the head.
    #[must_use]
    pub(super) fn moved(&self, bytes: i32) -> Self {
        let is_stack = |fact: Fact| matches!(fact, Fact::Stack(_));
        let mixed = bytes != 0 && !self.facts().all(is_stack);
        self.facts()
            .filter(|fact| !(mixed && is_stack(*fact)))
            .filter_map(|fact| fact.moved(bytes))
            .collect()
    }

    /// Offset from the stack pointer at entry, where the value is a stack address.
    #[must_use]
    pub(super) fn stack(&self) -> Option<i32> {
        self.facts().find_map(|fact| match fact {
            Fact::Stack(offset) => Some(offset),
            _ => None,
        })
    }

    /// Only the facts that `keep` accepts.
    #[must_use]
    pub(super) fn only(&self, keep: impl Fn(Fact) -> bool) -> Self {
        self.facts().filter(|fact| keep(*fact)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(offset: i32, basis: Basis) -> Fact {
        Fact::Points {
            to: TypeId(7),
            offset,
            basis,
        }
    }

    #[test]
    fn a_stronger_basis_replaces_a_weaker_one() {
        let mut value = Value::from(points(0, Basis::Weak));
        assert!(value.insert(points(0, Basis::Typed)));
        assert!(!value.insert(points(0, Basis::Derived)));
        assert_eq!(value, Value::from(points(0, Basis::Typed)));
    }

    #[test]
    fn a_full_value_stops_changing() {
        let mut value: Value = (0..100).map(Fact::Stack).collect();
        assert!(!value.insert(Fact::Stack(1000)));
        assert_eq!(value.facts().count(), MOST);
    }

    #[test]
    fn moving_adds_to_what_is_known() {
        let value = Value::from(points(8, Basis::Typed));
        assert_eq!(value.moved(-8), points(0, Basis::Typed).into());
        assert_eq!(Value::from(Fact::Stack(-16)).moved(8).stack(), Some(-8));
    }

    #[test]
    fn the_head_of_a_list_is_no_entry() {
        let value: Value = [points(8, Basis::Derived), Fact::Stack(-16)]
            .into_iter()
            .collect();
        assert_eq!(value.moved(0).stack(), Some(-16));
        assert_eq!(value.moved(-8), points(0, Basis::Derived).into());
    }
}

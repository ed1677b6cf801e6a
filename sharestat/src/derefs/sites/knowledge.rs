//! What is true in a whole function, wherever control is: what lies on its stack, and
//! what type values turned out to have by their later use. Grows until nothing is new.

use std::collections::HashMap;

use super::{
    program::Program,
    types::{Loaded, TypeId},
    value::{Basis, Fact, Value},
};

/// An object on the stack, known because its address is passed to a function that says
/// what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Region {
    start: i32,
    to: TypeId,
    /// Where in an object of type `to` the region begins, in bytes.
    inside: i32,
}

/// What was learnt about a function so far.
#[derive(Default)]
pub(super) struct Knowledge {
    regions: Vec<Region>,
    made: HashMap<u64, Vec<(TypeId, i32)>>,
    /// Whether it passes a page on as something else, such as a slab.
    pub casts: bool,
}

impl Knowledge {
    /// Changes whenever something was learnt.
    #[must_use]
    pub(super) fn extent(&self) -> usize {
        self.regions.len() + self.made.values().map(Vec::len).sum::<usize>()
    }

    /// The stack from `start` on is an object of type `to`, from byte `inside` of it on.
    pub(super) fn place(&mut self, start: i32, to: TypeId, inside: i32) {
        let region = Region { start, to, inside };
        if !self.regions.contains(&region) && self.regions.len() < 64 {
            self.regions.push(region);
        }
    }

    /// The value that the instruction at `def` makes points `inside` bytes into a `to`.
    pub(super) fn refine(&mut self, def: u64, to: TypeId, inside: i32) {
        let known = self.made.entry(def).or_default();
        if !known.contains(&(to, inside)) && known.len() < 3 {
            known.push((to, inside));
        }
    }

    /// The value that the instruction at `def` makes.
    #[must_use]
    pub(super) fn made(&self, def: u64) -> Value {
        let mut value = Value::from(Fact::Made { def, offset: 0 });
        for (to, offset) in self.made.get(&def).into_iter().flatten() {
            value.insert(Fact::Points {
                to: *to,
                offset: *offset,
                basis: Basis::Derived,
            });
        }
        value
    }

    /// What eight bytes at `offset` of the stack hold by the type of what lies there;
    /// `indexed` when a register was added to the address.
    #[must_use]
    pub(super) fn stack_loads(
        &self,
        program: &Program<'_>,
        offset: i32,
        indexed: bool,
    ) -> Vec<Loaded> {
        self.regions
            .iter()
            .filter(|region| offset >= region.start)
            .flat_map(|region| {
                let inside = region.inside + (offset - region.start);
                // A pointer by itself does not make what follows it pointers too.
                let alone = program.types.pointee(region.to).is_some();
                if alone && inside != 0 && !(indexed && inside < 1024) {
                    return Vec::new();
                }
                program.types.loads(region.to, inside)
            })
            .collect()
    }
}

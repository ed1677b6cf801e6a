//! What is known at one point of a function: sixteen registers and the stack slots.

use super::value::{Fact, Value};

/// Number of the stack pointer among the general registers.
pub(super) const RSP: usize = 4;
/// Register numbers of the first six integer arguments (System V ABI).
pub(super) const ARGUMENTS: [usize; 6] = [7, 6, 2, 1, 8, 9];
/// Registers that a call may change.
const CLOBBERED: [usize; 9] = [0, 1, 2, 6, 7, 8, 9, 10, 11];
/// Most stack slots remembered.
const MOST_SLOTS: usize = 192;

/// Registers and stack slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    registers: [Value; 16],
    /// By offset from the stack pointer at entry, ascending.
    slots: Vec<(i32, Value)>,
}

impl Default for State {
    fn default() -> Self {
        let mut registers = [Value::default(); 16];
        registers[RSP] = Fact::Stack(0).into();
        Self {
            registers,
            slots: Vec::new(),
        }
    }
}

impl State {
    /// What is known of register `number`.
    #[must_use]
    pub(super) fn register(&self, number: usize) -> Value {
        self.registers.get(number).copied().unwrap_or_default()
    }

    /// Sets register `number`.
    pub(super) fn set_register(&mut self, number: usize, value: Value) {
        if let Some(register) = self.registers.get_mut(number) {
            *register = value;
        }
    }

    /// Forgets what a call may change.
    pub(super) fn clobber_for_call(&mut self) {
        for number in CLOBBERED {
            self.set_register(number, Value::default());
        }
    }

    /// What is known of the eight bytes at `offset` of the stack.
    #[must_use]
    pub(super) fn slot(&self, offset: i32) -> Option<Value> {
        self.slots
            .binary_search_by_key(&offset, |slot| slot.0)
            .ok()
            .and_then(|at| self.slots.get(at))
            .map(|slot| slot.1)
    }

    /// Stores eight bytes at `offset` of the stack.
    pub(super) fn set_slot(&mut self, offset: i32, value: Value) {
        self.forget(offset, 8);
        if value.is_empty() || self.slots.len() >= MOST_SLOTS {
            return;
        }
        let at = self.slots.partition_point(|slot| slot.0 < offset);
        self.slots.insert(at, (offset, value));
    }

    /// Forgets `length` bytes at `offset` of the stack.
    pub(super) fn forget(&mut self, offset: i32, length: i32) {
        let end = offset.saturating_add(length);
        self.slots
            .retain(|(at, _)| at.saturating_add(8) <= offset || *at >= end);
    }

    /// Adds what may be true on another path; says whether anything changed.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            changed |= mine.join(theirs);
        }
        for (offset, value) in &other.slots {
            match self.slots.binary_search_by_key(offset, |slot| slot.0) {
                Ok(at) => {
                    if let Some(slot) = self.slots.get_mut(at) {
                        changed |= slot.1.join(value);
                    }
                }
                Err(at) if self.slots.len() < MOST_SLOTS => {
                    self.slots.insert(at, (*offset, *value));
                    changed = true;
                }
                Err(_) => {}
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_replaces_what_it_overlaps() {
        let mut state = State::default();
        state.set_slot(-16, Fact::Stack(1).into());
        state.set_slot(-12, Fact::Stack(2).into());
        assert_eq!(state.slot(-16), None);
        assert_eq!(state.slot(-12), Some(Fact::Stack(2).into()));
    }

    #[test]
    fn joining_twice_changes_nothing_the_second_time() {
        let mut state = State::default();
        let mut other = State::default();
        other.set_slot(-8, Fact::Stack(3).into());
        other.set_register(3, Fact::Mapping(9).into());
        assert!(state.join(&other));
        assert!(!state.join(&other));
        assert_eq!(state.register(3), Fact::Mapping(9).into());
    }
}

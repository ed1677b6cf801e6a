//! What one instruction does to what is known. In: an instruction and the state before
//! it. Out: the state after it. Calls are in `calls`, branches in `function`.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use super::{
    knowledge::Knowledge,
    memory::address,
    program::{Function, Program},
    state::{RSP, State},
    types::{Loaded, TypeId},
    value::{Basis, Fact, Value},
};

/// What loads from an offset of an object yield.
type Answers = HashMap<(TypeId, i32), Rc<[Loaded]>>;

/// Interprets the instructions of one function.
pub(super) struct Interpreter<'a> {
    pub(super) program: &'a Program<'a>,
    pub(super) function: &'a Function,
    pub(super) knowledge: Knowledge,
    /// Whether trees walked here are page caches.
    pub(super) page_cache: bool,
    pub(super) info: InstructionInfoFactory,
    /// Answers of [`super::types::TypeTable::loads`]; the same few are asked for often.
    pub(super) loads: RefCell<Answers>,
}

/// Number of the 64-bit register that `register` is part of.
pub(super) fn number(register: Register) -> Option<usize> {
    register.is_gpr().then(|| register.full_register().number())
}

pub(super) fn bytes_of(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}

fn is_cmov(mnemonic: Mnemonic) -> bool {
    (Mnemonic::Cmova as usize..=Mnemonic::Cmovs as usize).contains(&(mnemonic as usize))
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(program: &'a Program<'a>, function: &'a Function) -> Self {
        Self {
            program,
            function,
            knowledge: Knowledge::default(),
            page_cache: program.walks_page_cache(function),
            info: InstructionInfoFactory::new(),
            loads: RefCell::default(),
        }
    }

    /// Applies `instruction`, which is neither a call nor a branch, to `state`.
    pub(super) fn apply(&mut self, instruction: &Instruction, state: &mut State) {
        match instruction.mnemonic() {
            Mnemonic::Nop | Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Endbr64 => {}
            Mnemonic::Mov => self.copy(instruction, state),
            Mnemonic::Lea => self.take_address(instruction, state),
            Mnemonic::Push => {
                let value = self.operand(instruction, 0, state);
                let top = state.register(RSP).moved(-8);
                state.set_register(RSP, top);
                if let Some(offset) = top.stack() {
                    state.set_slot(offset, value);
                }
            }
            Mnemonic::Pop => {
                let top = state.register(RSP);
                let value = top
                    .stack()
                    .and_then(|at| state.slot(at))
                    .unwrap_or_default();
                state.set_register(RSP, top.moved(8));
                assign(instruction, state, value);
            }
            Mnemonic::Add => self.add(instruction, state),
            Mnemonic::Sub => {
                let value = match constant(instruction) {
                    Some(bytes) => {
                        let before = self.operand(instruction, 0, state);
                        self.moved(&before, bytes.wrapping_neg())
                    }
                    None => Value::default(),
                };
                assign(instruction, state, value);
            }
            Mnemonic::Inc | Mnemonic::Dec => {
                let step = if instruction.mnemonic() == Mnemonic::Inc {
                    1
                } else {
                    -1
                };
                let value = self.operand(instruction, 0, state).moved(step);
                assign(instruction, state, value);
            }
            Mnemonic::And => {
                let value = self.masked(instruction, state);
                assign(instruction, state, value);
            }
            Mnemonic::Not => {
                // The compiler tests for several bits being set by testing the complement.
                let value = self
                    .operand(instruction, 0, state)
                    .only(|fact| matches!(fact, Fact::Mapping(_)));
                assign(instruction, state, value);
            }
            Mnemonic::Xchg
                if instruction.op1_kind() == OpKind::Register
                    && instruction.op0_kind() == OpKind::Register =>
            {
                let first = self.operand(instruction, 0, state);
                let second = self.operand(instruction, 1, state);
                assign(instruction, state, second);
                if let Some(register) = number(instruction.op1_register()) {
                    state.set_register(register, first);
                }
            }
            mnemonic if is_cmov(mnemonic) => {
                let mut value = self.operand(instruction, 0, state);
                value.join(&self.operand(instruction, 1, state));
                assign(instruction, state, value);
            }
            _ => self.forget_written(instruction, state),
        }
    }

    fn copy(&self, instruction: &Instruction, state: &mut State) {
        let value = self.operand(instruction, 1, state);
        assign(instruction, state, value);
    }

    fn take_address(&self, instruction: &Instruction, state: &mut State) {
        if instruction.is_ip_rel_memory_operand() {
            assign(instruction, state, Value::default());
            return;
        }
        let address = address(instruction, state);
        // `vmemmap + (pfn << 6)`: the index may be what is known to be a page.
        let mut value = self.settled(&address.value);
        if address.indexed && instruction.memory_index_scale() == 1 {
            let index = number(instruction.memory_index())
                .map(|register| state.register(register))
                .unwrap_or_default();
            let pages = index.only(|fact| self.is_page(fact));
            value.join(&self.settled(&pages));
        }
        if instruction.op0_register().size() != 8 {
            value = Value::default();
        }
        assign(instruction, state, value);
    }

    fn is_page(&self, fact: Fact) -> bool {
        matches!(fact, Fact::Points { to, .. } if to == self.program.types.page)
    }

    /// Steps over whole objects land on the next object of an array.
    fn settled(&self, value: &Value) -> Value {
        value
            .facts()
            .map(|fact| match fact {
                Fact::Points { to, offset, basis } => {
                    let size = self.program.types.size(to);
                    let whole = size > 0 && offset % size == 0 && to != self.program.types.folio;
                    Fact::Points {
                        to,
                        offset: if whole { 0 } else { offset },
                        basis,
                    }
                }
                other => other,
            })
            .collect()
    }

    fn moved(&self, value: &Value, bytes: i32) -> Value {
        // A step of one list head leads to the next list of an array, not into a folio.
        let types = self.program.types;
        let heads: Value = value
            .facts()
            .filter(|fact| {
                matches!(fact, Fact::Points { to, offset, .. }
                    if bytes.unsigned_abs() == 16
                        && *offset == types.lru
                        && self.program.is_folio(*to))
            })
            .collect();
        let mut moved = self.settled(
            &value
                .only(|fact| !heads.facts().any(|head| head == fact))
                .moved(bytes),
        );
        moved.join(&heads);
        moved
    }

    fn add(&self, instruction: &Instruction, state: &mut State) {
        let before = self.operand(instruction, 0, state);
        if instruction.op0_kind() == OpKind::Memory {
            assign(instruction, state, Value::default());
            return;
        }
        if let Some(bytes) = constant(instruction) {
            let value = self.moved(&before, bytes);
            assign(instruction, state, value);
            return;
        }
        // An index was added to a pointer; which of the two is which, types tell.
        let pointers = |fact| matches!(fact, Fact::Points { .. } | Fact::Stack(_));
        let mut value = before.only(pointers);
        let added = self.operand(instruction, 1, state);
        value.join(&added.only(|fact| self.is_page(fact)));
        if before.only(pointers).is_empty() && instruction.op1_kind() == OpKind::Register {
            value.join(&added.only(pointers));
        }
        assign(instruction, state, value);
    }

    /// Masks clear flag bits of a pointer, or round a page down to its head.
    fn masked(&self, instruction: &Instruction, state: &State) -> Value {
        let before = self.operand(instruction, 0, state);
        if let Some(mask) = constant(instruction) {
            let clears_flags = (-64..0).contains(&mask) || mask <= -4096;
            if !clears_flags {
                return Value::default();
            }
            return before
                .facts()
                .map(|fact| match fact {
                    Fact::Points {
                        to,
                        offset: 1,
                        basis,
                    } => Fact::Points {
                        to,
                        offset: 0,
                        basis,
                    },
                    other => other,
                })
                .collect();
        }
        let mut value = before.only(|fact| self.is_page(fact));
        value.join(
            &self
                .operand(instruction, 1, state)
                .only(|fact| self.is_page(fact)),
        );
        value
    }

    /// Any other instruction: what it writes is not known any more.
    fn forget_written(&mut self, instruction: &Instruction, state: &mut State) {
        let stack = if instruction.op0_kind() == OpKind::Memory {
            let address = address(instruction, state);
            address.value.stack().filter(|_| !address.indexed)
        } else {
            None
        };
        let info = self.info.info(instruction);
        for used in info.used_registers() {
            let writes = matches!(
                used.access(),
                OpAccess::Write
                    | OpAccess::ReadWrite
                    | OpAccess::CondWrite
                    | OpAccess::ReadCondWrite
            );
            if let Some(number) = number(used.register()).filter(|number| writes && *number != RSP)
            {
                state.set_register(number, Value::default());
            }
        }
        if let Some(offset) = stack
            && info.op0_access() != OpAccess::Read
        {
            state.forget(offset, bytes_of(instruction.memory_size().size()));
        }
    }

    /// A pointer to the start of a `to`, from BTF.
    pub(super) fn typed(to: TypeId) -> Fact {
        Fact::Points {
            to,
            offset: 0,
            basis: Basis::Typed,
        }
    }
}

/// The immediate operand 1, where it fits 32 bits.
pub(super) fn constant(instruction: &Instruction) -> Option<i32> {
    let is_immediate = matches!(
        instruction.op1_kind(),
        OpKind::Immediate8
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    );
    if !is_immediate {
        return None;
    }
    let value = instruction.immediate(1);
    // 32-bit operations zero-extend; read the sign from the operand's own width.
    match instruction.op0_kind() {
        OpKind::Register if instruction.op0_register().size() == 4 => {
            u32::try_from(value & 0xffff_ffff)
                .ok()
                .map(u32::cast_signed)
        }
        _ => i32::try_from(value.cast_signed()).ok(),
    }
}

/// Puts `value` into operand 0, with what a narrower register or memory does to it.
fn assign(instruction: &Instruction, state: &mut State, value: Value) {
    match instruction.op0_kind() {
        OpKind::Register => {
            let register = instruction.op0_register();
            let Some(number) = number(register) else {
                return;
            };
            let value = if register.size() == 8 {
                value
            } else {
                value.only(|fact| matches!(fact, Fact::Mapping(_)))
            };
            state.set_register(number, value);
        }
        OpKind::Memory => {
            let address = address(instruction, state);
            let size = bytes_of(instruction.memory_size().size());
            if let Some(offset) = address.value.stack().filter(|_| !address.indexed) {
                if size == 8 {
                    state.set_slot(offset, value);
                } else {
                    state.forget(offset, size);
                }
            }
        }
        _ => {}
    }
}

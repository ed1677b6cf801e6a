//! What one instruction does to what is known. In: an instruction and the state before
//! it. Out: the state after it. Calls are in `calls`, branches in `function`.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use super::{
    knowledge::Knowledge,
    program::{Function, Program},
    state::{RSP, State},
    types::{Loaded, TypeId},
    value::{Basis, Fact, Value},
};

/// The address that a memory operand names.
pub(super) struct Address {
    /// What is known of it, displacement included.
    pub(super) value: Value,
    /// Whether an unknown multiple was added.
    pub(super) indexed: bool,
}

/// Interprets the instructions of one function.
pub(super) struct Interpreter<'a> {
    pub(super) program: &'a Program<'a>,
    pub(super) function: &'a Function,
    pub(super) knowledge: Knowledge,
    /// Whether trees walked here are page caches.
    pub(super) page_cache: bool,
    pub(super) info: InstructionInfoFactory,
    /// Answers of [`super::types::TypeTable::loads`]; the same few are asked for often.
    loads: RefCell<HashMap<(TypeId, i32), Rc<[Loaded]>>>,
}

/// Number of the 64-bit register that `register` is part of.
pub(super) fn number(register: Register) -> Option<usize> {
    register
        .is_gpr()
        .then(|| register.full_register().number())
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
                let value = top.stack().and_then(|at| state.slot(at)).unwrap_or_default();
                state.set_register(RSP, top.moved(8));
                self.assign(instruction, state, value);
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
                self.assign(instruction, state, value);
            }
            Mnemonic::Inc | Mnemonic::Dec => {
                let step = if instruction.mnemonic() == Mnemonic::Inc { 1 } else { -1 };
                let value = self.operand(instruction, 0, state).moved(step);
                self.assign(instruction, state, value);
            }
            Mnemonic::And => {
                let value = self.masked(instruction, state);
                self.assign(instruction, state, value);
            }
            Mnemonic::Not => {
                // The compiler tests for several bits being set by testing the complement.
                let value = self
                    .operand(instruction, 0, state)
                    .only(|fact| matches!(fact, Fact::Mapping(_)));
                self.assign(instruction, state, value);
            }
            Mnemonic::Xchg if instruction.op1_kind() == OpKind::Register
                && instruction.op0_kind() == OpKind::Register =>
            {
                let first = self.operand(instruction, 0, state);
                let second = self.operand(instruction, 1, state);
                self.assign(instruction, state, second);
                if let Some(register) = number(instruction.op1_register()) {
                    state.set_register(register, first);
                }
            }
            mnemonic if is_cmov(mnemonic) => {
                let mut value = self.operand(instruction, 0, state);
                value.join(&self.operand(instruction, 1, state));
                self.assign(instruction, state, value);
            }
            _ => self.forget_written(instruction, state),
        }
    }

    /// What the memory operand of `instruction` points to.
    pub(super) fn address(&self, instruction: &Instruction, state: &State) -> Address {
        let nothing = Address {
            value: Value::default(),
            indexed: false,
        };
        if matches!(instruction.memory_segment(), Register::GS | Register::FS) {
            return nothing;
        }
        // The decoder sign-extends; displacements of structures fit easily.
        let Ok(displacement) = i32::try_from(instruction.memory_displacement64().cast_signed())
        else {
            return nothing;
        };
        let base = number(instruction.memory_base()).map(|register| state.register(register));
        let index = number(instruction.memory_index()).map(|register| state.register(register));
        let scale = instruction.memory_index_scale();
        let (value, indexed) = match (base, index) {
            (Some(base), None) => (base, false),
            (Some(base), Some(index)) => {
                let is_pointer =
                    |fact| matches!(fact, Fact::Points { .. } | Fact::Stack(_));
                let mut value = base.only(is_pointer);
                if scale == 1 && value.is_empty() {
                    value = index.only(is_pointer);
                }
                (value, true)
            }
            (None, Some(index)) if scale == 1 => (index, false),
            (None, _) => return nothing,
        };
        Address {
            value: value.moved(displacement),
            indexed,
        }
    }

    /// What operand `nth` holds. Memory is read as eight bytes, or not known.
    pub(super) fn operand(&self, instruction: &Instruction, nth: u32, state: &State) -> Value {
        match instruction.op_kind(nth) {
            OpKind::Register => {
                let register = instruction.op_register(nth);
                let value = number(register)
                    .map(|number| state.register(number))
                    .unwrap_or_default();
                match register.size() {
                    8 => value,
                    // Part of a loaded mapping still tells what it is used for.
                    _ => value.only(|fact| matches!(fact, Fact::Mapping(_))),
                }
            }
            OpKind::Memory => self.load(instruction, state),
            _ => Value::default(),
        }
    }

    fn load(&self, instruction: &Instruction, state: &State) -> Value {
        let at = instruction.ip();
        let folio_word = self.reads_mapping(instruction, state);
        if instruction.memory_size().size() != 8 {
            return folio_word.map(Value::from).unwrap_or_default();
        }
        if instruction.is_ip_rel_memory_operand() {
            let address = instruction.ip_rel_memory_address();
            return if Some(address) == self.program.vmemmap_base {
                self.page(0).into()
            } else {
                self.knowledge.made(at)
            };
        }
        let address = self.address(instruction, state);
        let mut value = Value::default();
        for fact in address.value.facts() {
            match fact {
                Fact::Points { to, offset, basis } => {
                    if to == self.program.types.page && offset == 8 {
                        // The head page's address plus one, or a list node.
                        value.insert(self.page(1));
                    }
                    let loaded = self.loads(to, offset);
                    self.add_loaded(&loaded, basis, &mut value);
                }
                Fact::Stack(offset) => {
                    let slot = state.slot(offset).filter(|_| !address.indexed);
                    if let Some(slot) = slot {
                        value.join(&slot);
                    } else {
                        let loaded =
                            self.knowledge
                                .stack_loads(self.program, offset, address.indexed);
                        self.add_loaded(&loaded, Basis::Typed, &mut value);
                    }
                }
                Fact::Made { .. } | Fact::Mapping(_) => {}
            }
        }
        if let Some(fact) = folio_word {
            value.insert(fact);
        }
        if value.is_empty() {
            value = self.knowledge.made(at);
        }
        value
    }

    fn loads(&self, to: TypeId, offset: i32) -> Rc<[Loaded]> {
        let mut known = self.loads.borrow_mut();
        let answer = known
            .entry((to, offset))
            .or_insert_with(|| self.program.types.loads(to, offset).into());
        Rc::clone(answer)
    }

    fn add_loaded(&self, loaded: &[Loaded], basis: Basis, value: &mut Value) {
        let derived = basis.max(Basis::Derived);
        // Where a node of a list of folios shares a union, the other members are for
        // pages of drivers, or being freed.
        let nodes_only = loaded.iter().any(|what| matches!(what, Loaded::Node(..)));
        for what in loaded {
            if nodes_only && !matches!(what, Loaded::Node(..)) {
                continue;
            }
            let fact = match *what {
                Loaded::Pointer(to) => Fact::Points {
                    to,
                    offset: 0,
                    basis: if basis == Basis::Weak { basis } else { Basis::Typed },
                },
                Loaded::Node(to, offset) => Fact::Points {
                    to,
                    offset,
                    basis: derived,
                },
                Loaded::Entry if self.page_cache => Fact::Points {
                    to: self.program.types.folio,
                    offset: 0,
                    basis: derived,
                },
                Loaded::Entry => continue,
            };
            value.insert(fact);
        }
    }

    /// Marks what is loaded from the word that the analysis is about.
    fn reads_mapping(&self, instruction: &Instruction, state: &State) -> Option<Fact> {
        let mapping = self.program.types.mapping;
        self.address(instruction, state)
            .value
            .facts()
            .any(|fact| {
                matches!(fact, Fact::Points { to, offset, .. }
                    if offset == mapping && self.program.is_folio(to))
            })
            .then(|| Fact::Mapping(instruction.ip()))
    }

    fn page(&self, offset: i32) -> Fact {
        Fact::Points {
            to: self.program.types.page,
            offset,
            basis: Basis::Derived,
        }
    }

    fn copy(&mut self, instruction: &Instruction, state: &mut State) {
        let value = self.operand(instruction, 1, state);
        self.assign(instruction, state, value);
    }

    /// Puts `value` into operand 0, with what a narrower register or memory does to it.
    pub(super) fn assign(&mut self, instruction: &Instruction, state: &mut State, value: Value) {
        match instruction.op0_kind() {
            OpKind::Register => {
                let register = instruction.op0_register();
                let Some(number) = number(register) else { return };
                let value = if register.size() == 8 {
                    value
                } else {
                    value.only(|fact| matches!(fact, Fact::Mapping(_)))
                };
                state.set_register(number, value);
            }
            OpKind::Memory => {
                let address = self.address(instruction, state);
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

    fn take_address(&mut self, instruction: &Instruction, state: &mut State) {
        if instruction.is_ip_rel_memory_operand() {
            self.assign(instruction, state, Value::default());
            return;
        }
        let address = self.address(instruction, state);
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
        self.assign(instruction, state, value);
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
        let mut moved = self.settled(&value.only(|fact| !heads.facts().any(|head| head == fact)).moved(bytes));
        moved.join(&heads);
        moved
    }

    fn add(&mut self, instruction: &Instruction, state: &mut State) {
        let before = self.operand(instruction, 0, state);
        if instruction.op0_kind() == OpKind::Memory {
            self.assign(instruction, state, Value::default());
            return;
        }
        if let Some(bytes) = constant(instruction) {
            let value = self.moved(&before, bytes);
            self.assign(instruction, state, value);
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
        self.assign(instruction, state, value);
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
            let address = self.address(instruction, state);
            address.value.stack().filter(|_| !address.indexed)
        } else {
            None
        };
        let info = self.info.info(instruction);
        for used in info.used_registers() {
            let writes = matches!(
                used.access(),
                OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite | OpAccess::ReadCondWrite
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
            u32::try_from(value & 0xffff_ffff).ok().map(u32::cast_signed)
        }
        _ => i32::try_from(value.cast_signed()).ok(),
    }
}

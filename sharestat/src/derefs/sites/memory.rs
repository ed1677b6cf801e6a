//! What operands hold: registers, and memory by the type of the object that is read.
//! In: an instruction and the state before it. Out: a [`Value`].

use std::rc::Rc;

use iced_x86::{Instruction, OpKind, Register};

use super::{
    state::State,
    transfer::{Interpreter, number},
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

/// What the memory operand of `instruction` points to.
pub(super) fn address(instruction: &Instruction, state: &State) -> Address {
    let nothing = Address {
        value: Value::default(),
        indexed: false,
    };
    if matches!(instruction.memory_segment(), Register::GS | Register::FS) {
        return nothing;
    }
    // The decoder sign-extends; displacements of structures fit easily.
    let Ok(displacement) = i32::try_from(instruction.memory_displacement64().cast_signed()) else {
        return nothing;
    };
    let base = number(instruction.memory_base()).map(|register| state.register(register));
    let index = number(instruction.memory_index()).map(|register| state.register(register));
    let scale = instruction.memory_index_scale();
    let (value, indexed) = match (base, index) {
        (Some(base), None) => (base, false),
        (Some(base), Some(index)) => {
            let is_pointer = |fact| matches!(fact, Fact::Points { .. } | Fact::Stack(_));
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

impl Interpreter<'_> {
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
        let address = address(instruction, state);
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
                    basis: if basis == Basis::Weak {
                        basis
                    } else {
                        Basis::Typed
                    },
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
        address(instruction, state)
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
}

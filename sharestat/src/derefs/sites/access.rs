//! Recognises the accesses to `folio->mapping`, and what becomes of a loaded value.

use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind};

use super::{
    memory::address,
    program::Function,
    state::{ARGUMENTS, State},
    transfer::{Interpreter, constant, number},
    value::{Basis, Fact},
};

/// How an instruction touches `folio->mapping`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Reads the pointer.
    Load,
    /// Looks only at the tag bits (anonymous, KSM).
    TagTest,
    /// Compares it with a mapping already known, or with nothing (a truncation check).
    Compare,
    /// Writes it.
    Store,
    /// Takes its address.
    Address,
}

impl Kind {
    /// All kinds, in the order of reports.
    pub const ALL: [Self; 5] = [
        Self::Load,
        Self::TagTest,
        Self::Compare,
        Self::Store,
        Self::Address,
    ];

    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::TagTest => "tag_test",
            Self::Compare => "compare",
            Self::Store => "store",
            Self::Address => "address",
        }
    }
}

/// What was seen of the value that one instruction loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Its tag bits were tested.
    pub(super) tested: bool,
    /// It was compared.
    pub(super) compared: bool,
    /// It was dereferenced, stored, passed on or returned.
    pub(super) followed: bool,
}

impl Uses {
    const NONE: Self = Self {
        tested: false,
        compared: false,
        followed: false,
    };
    const TESTED: Self = Self {
        tested: true,
        ..Self::NONE
    };
    const COMPARED: Self = Self {
        compared: true,
        ..Self::NONE
    };
    const FOLLOWED: Self = Self {
        followed: true,
        ..Self::NONE
    };

    /// A load that only serves a test or a comparison is one.
    pub(super) fn refine(self, kind: Kind) -> Kind {
        match (kind, self) {
            (
                Kind::Load,
                Self {
                    followed: false,
                    compared: true,
                    ..
                },
            ) => Kind::Compare,
            (
                Kind::Load,
                Self {
                    followed: false,
                    tested: true,
                    ..
                },
            ) => Kind::TagTest,
            _ => kind,
        }
    }
}

/// An access as found in one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) kind: Kind,
    pub(super) basis: Basis,
}

/// How `instruction`, whose memory operand is `folio->mapping`, touches it.
#[must_use]
pub fn kind_of(instruction: &Instruction, info: &mut InstructionInfoFactory) -> Option<Kind> {
    let size = instruction.memory_size().size();
    match instruction.mnemonic() {
        Mnemonic::Lea => {
            return (instruction.memory_index() == iced_x86::Register::None)
                .then_some(Kind::Address);
        }
        Mnemonic::Nop | Mnemonic::Prefetchw | Mnemonic::Prefetcht0 => return None,
        Mnemonic::Cmp if size == 8 => return Some(Kind::Compare),
        Mnemonic::Test | Mnemonic::Bt => return Some(Kind::TagTest),
        _ => {}
    }
    let access = info
        .info(instruction)
        .used_memory()
        .first()
        .map_or(OpAccess::None, iced_x86::UsedMemory::access);
    match access {
        OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite | OpAccess::ReadCondWrite => {
            Some(Kind::Store)
        }
        OpAccess::Read | OpAccess::CondRead if size == 8 => Some(Kind::Load),
        // The tag bits are in the lowest byte; a pointer does not fit fewer than eight.
        OpAccess::Read | OpAccess::CondRead if size > 0 => Some(Kind::TagTest),
        _ => None,
    }
}

impl Interpreter<'_> {
    /// Whether `instruction` touches the mapping of a folio, and how.
    pub(super) fn access(&mut self, instruction: &Instruction, state: &State) -> Option<Access> {
        if !(0..instruction.op_count()).any(|nth| instruction.op_kind(nth) == OpKind::Memory) {
            return None;
        }
        let address = address(instruction, state);
        let mapping = self.program.types.mapping;
        let mut basis: Option<Basis> = None;
        let mut other = false;
        for fact in address.value.facts() {
            if let Fact::Points {
                to,
                offset,
                basis: known,
            } = fact
            {
                if !self.program.is_folio(to) {
                    other |= !self.program.meets_folios(to);
                } else if offset == mapping {
                    basis = Some(basis.map_or(known, |before| before.min(known)));
                }
            }
        }
        let basis = match (basis?, other) {
            (basis, false) => basis,
            // Paths with different types meet here: what is no more than derived is
            // likelier to be the other type.
            (Basis::Typed, true) => Basis::Weak,
            (Basis::Derived | Basis::Weak, true) => return None,
        };
        let kind = kind_of(instruction, &mut self.info)?;
        Some(Access { kind, basis })
    }

    /// Tells `seen` what `instruction` does with mappings loaded before.
    pub(super) fn uses(
        &self,
        instruction: &Instruction,
        state: &State,
        seen: &mut dyn FnMut(u64, Uses),
    ) {
        let mut tell = |value: super::value::Value, uses: Uses| {
            for fact in value.facts() {
                if let Fact::Mapping(site) = fact {
                    seen(site, uses);
                }
            }
        };
        // The base of a memory operand is followed, except that `lea` only computes.
        for register in [instruction.memory_base(), instruction.memory_index()] {
            if let Some(number) = number(register) {
                tell(state.register(number), Uses::FOLLOWED);
            }
        }
        let in_register = |nth: u32| {
            (instruction.op_count() > nth && instruction.op_kind(nth) == OpKind::Register)
                .then(|| number(instruction.op_register(nth)))
                .flatten()
                .map(|number| state.register(number))
                .unwrap_or_default()
        };
        match instruction.mnemonic() {
            Mnemonic::Cmp => {
                tell(in_register(0), Uses::COMPARED);
                tell(in_register(1), Uses::COMPARED);
            }
            Mnemonic::Test => {
                let same = instruction.op1_kind() == OpKind::Register;
                tell(
                    in_register(0),
                    if same { Uses::COMPARED } else { Uses::TESTED },
                );
            }
            Mnemonic::And => match constant(instruction) {
                // Clearing the tag bits leaves the pointer; keeping them is a test.
                Some(mask) if mask < 0 => {}
                Some(_) => tell(in_register(0), Uses::TESTED),
                None => tell(in_register(0), Uses::FOLLOWED),
            },
            Mnemonic::Bt => tell(in_register(0), Uses::TESTED),
            Mnemonic::Mov
                if instruction.op0_kind() == OpKind::Memory
                    && address(instruction, state).value.stack().is_none() =>
            {
                tell(in_register(1), Uses::FOLLOWED);
            }
            Mnemonic::Jmp if self.returns(instruction) && self.returns_pointer() => {
                tell(state.register(0), Uses::FOLLOWED);
            }
            Mnemonic::Call | Mnemonic::Jmp => {
                for register in self.passed(instruction) {
                    tell(state.register(register), Uses::FOLLOWED);
                }
            }
            Mnemonic::Ret if self.returns_pointer() => tell(state.register(0), Uses::FOLLOWED),
            // `xor eax, eax` reads nothing.
            Mnemonic::Sub | Mnemonic::Xor
                if instruction.op1_kind() == OpKind::Register
                    && instruction.op0_kind() == OpKind::Register
                    && instruction.op0_register() == instruction.op1_register() => {}
            Mnemonic::Add | Mnemonic::Sub | Mnemonic::Xor | Mnemonic::Or => {
                tell(in_register(0), Uses::FOLLOWED);
                tell(in_register(1), Uses::FOLLOWED);
            }
            _ => {}
        }
    }

    /// Registers that a call, or a jump to another function, passes arguments in.
    fn passed(&self, instruction: &Instruction) -> Vec<usize> {
        let is_direct = instruction.op0_kind() == OpKind::NearBranch64;
        let callee = is_direct
            .then(|| self.program.function_at(instruction.near_branch_target()))
            .flatten();
        match callee.map(|callee| self.program.prototype(callee)) {
            Some(Some(prototype)) => self
                .program
                .argument_registers(prototype)
                .into_iter()
                .flatten()
                .collect(),
            // Jumps inside the function pass nothing.
            None if is_direct && instruction.mnemonic() == Mnemonic::Jmp => Vec::new(),
            Some(None) | None => ARGUMENTS.to_vec(),
        }
    }

    /// Whether a jump is a return by another name.
    fn returns(&self, instruction: &Instruction) -> bool {
        instruction.op0_kind() == OpKind::NearBranch64
            && self
                .program
                .function_at(instruction.near_branch_target())
                .is_some_and(Function::is_return_thunk)
    }

    fn returns_pointer(&self) -> bool {
        self.program
            .types
            .prototype(self.function.source_name())
            .is_none_or(|prototype| self.program.types.pointee(prototype.returns).is_some())
    }
}

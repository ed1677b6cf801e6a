//! What calls tell: types of arguments, objects that callees fill on the stack, and
//! types of results.

use iced_x86::Instruction;

use super::{
    program::{Function, Summaries},
    roles::{self, Tree},
    state::{ARGUMENTS, State},
    transfer::Interpreter,
    types::{Prototype, TypeId},
    value::{Basis, Fact, Value},
};

/// Helpers in assembler that change no register the compiler relies on.
fn keeps_registers(name: &str) -> bool {
    matches!(
        name,
        "__fentry__" | "__cyg_profile_func_enter" | "this_cpu_cmpxchg16b_emu"
    )
}

impl Interpreter<'_> {
    /// The state in which the function is entered.
    pub(super) fn entry(&self, summaries: &Summaries) -> State {
        let mut state = State::default();
        let Some(prototype) = self.program.prototype(self.function) else {
            let passed = summaries.arguments.get(&self.function.address);
            for (nth, register) in ARGUMENTS.into_iter().enumerate() {
                let mut value = self.knowledge.made(argument_name(nth));
                if let Some(passed) = passed.and_then(|passed| passed.get(nth)) {
                    value.join(passed);
                }
                state.set_register(register, value);
            }
            return state;
        };
        let registers = self.program.argument_registers(prototype);
        for (nth, (parameter, register)) in prototype.parameters.iter().zip(registers).enumerate() {
            let Some(register) = register else { continue };
            let to = self.program.types.pointee(parameter.of);
            let value = match to {
                Some(to) if Some(to) == self.program.list_head => self
                    .folio_list(self.function.source_name(), &parameter.name)
                    .unwrap_or_else(|| Self::typed(to).into()),
                Some(to) if self.program.types.is_object(to) => Self::typed(to).into(),
                _ => self.knowledge.made(argument_name(nth)),
            };
            state.set_register(register, value);
        }
        state
    }

    fn folio_list(&self, function: &str, parameter: &str) -> Option<Value> {
        let types = self.program.types;
        roles::is_folio_list(function, parameter).then(|| {
            Fact::Points {
                to: types.folio,
                offset: types.lru,
                basis: Basis::Derived,
            }
            .into()
        })
    }

    /// A direct call of the function at `target`; says whether the type of its result is
    /// known without looking into it.
    pub(super) fn call(
        &mut self,
        instruction: &Instruction,
        target: u64,
        summaries: &Summaries,
        state: &mut State,
    ) -> bool {
        let callee = self.program.function_at(target);
        let name = callee.map_or("", Function::source_name);
        if keeps_registers(name) {
            return true;
        }
        // The return type outlives specialisation, the arguments may not.
        let source = self.program.types.prototype(name);
        let entry = self.entry_returned(name, state);
        let exact = callee.and_then(|callee| self.program.prototype(callee));
        if let Some(prototype) = exact {
            self.learn_from_arguments(name, prototype, state);
        }
        state.clobber_for_call();
        let returned = source
            .and_then(|prototype| self.program.types.pointee(prototype.returns))
            .filter(|to| self.program.types.is_object(*to));
        let typed = returned.is_some() || entry.is_some();
        let value = match (returned, entry) {
            (Some(to), _) => Self::typed(to).into(),
            (None, Some(entry)) => entry,
            (None, None) => {
                let mut value = self.knowledge.made(instruction.ip());
                if let Some(known) = summaries.returned.get(&target) {
                    value.join(known);
                }
                value
            }
        };
        state.set_register(0, value);
        typed
    }

    /// A call through a pointer: its target is not known.
    pub(super) fn call_unknown(&mut self, instruction: &Instruction, state: &mut State) {
        state.clobber_for_call();
        state.set_register(0, self.knowledge.made(instruction.ip()));
    }

    /// The tree entry that the function `name` returns, where the tree is a page cache.
    fn entry_returned(&self, name: &str, state: &State) -> Option<Value> {
        let first = state.register(ARGUMENTS[0]);
        let is_tree = |value: Value| {
            value.facts().any(|fact| {
                matches!((fact, self.program.tree), (Fact::Points { to, offset, .. }, Some((space, tree)))
                    if to == space && offset == tree)
            })
        };
        let in_cache = match roles::returns_entry(name)? {
            Tree::Mapping => true,
            Tree::Array => is_tree(first),
            // The cursor's first member is the tree.
            Tree::State => match first.stack().and_then(|at| state.slot(at)) {
                Some(tree) if tree.facts().any(|fact| matches!(fact, Fact::Points { .. })) => {
                    is_tree(tree)
                }
                _ => self.page_cache,
            },
        };
        in_cache.then(|| {
            Fact::Points {
                to: self.program.types.folio,
                offset: 0,
                basis: Basis::Derived,
            }
            .into()
        })
    }

    /// Arguments say what lies on the stack and what untyped values are.
    pub(super) fn learn_from_arguments(
        &mut self,
        callee: &str,
        prototype: &Prototype,
        state: &mut State,
    ) {
        let program = self.program;
        let registers = program.argument_registers(prototype);
        for (parameter, register) in prototype.parameters.iter().zip(registers) {
            let Some((register, to)) = register.zip(program.types.pointee(parameter.of)) else {
                continue;
            };
            let list =
                Some(to) == program.list_head && roles::is_folio_list(callee, &parameter.name);
            let (to, inside) = if list {
                (program.types.folio, program.types.lru)
            } else {
                (to, 0)
            };
            let is_cast = program
                .types
                .name(to)
                .is_some_and(|name| roles::NOT_A_FOLIO.contains(&name));
            let passed = state.register(register);
            let certain = self.is_of_one_kind(passed);
            for fact in passed.facts() {
                match fact {
                    Fact::Stack(offset) if list || program.types.is_object(to) => {
                        self.knowledge.place(offset, to, inside);
                        self.forget_filled(to, offset, state);
                    }
                    Fact::Made { def, offset }
                        if certain && (list || program.leads_to_folios(to)) =>
                    {
                        self.knowledge.refine(def, to, inside - offset);
                    }
                    Fact::Points { to, .. } if is_cast && program.is_folio(to) => {
                        self.knowledge.casts = true;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Whether a use tells something of all that `value` may be: where paths with
    /// different types meet, it may be about another of them.
    fn is_of_one_kind(&self, value: Value) -> bool {
        let mut first = None;
        value.facts().all(|fact| match fact {
            Fact::Made { offset, .. } => *first.get_or_insert(offset) == offset,
            Fact::Points { to, .. } => self.program.is_folio(to) || self.program.meets_folios(to),
            Fact::Stack(_) | Fact::Mapping(_) => true,
        })
    }

    /// What a callee may fill is not what was stored there before. The cursor of a tree
    /// keeps its tree.
    fn forget_filled(&self, to: TypeId, offset: i32, state: &mut State) {
        if Some(to) != self.program.xa_state {
            state.forget(offset, self.program.types.size(to).clamp(0, 4096));
        }
    }
}

/// Stands for the address of the instruction that made argument `nth`.
fn argument_name(nth: usize) -> u64 {
    u64::try_from(nth).unwrap_or(0)
}

//! Follows one function through all its paths until nothing new is learnt, and collects
//! the accesses to `folio->mapping` in it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind};

use super::{
    access::{Access, Kind, Uses},
    code::Code,
    program::{Function, Program, Summaries},
    roles,
    state::{ARGUMENTS, State},
    transfer::Interpreter,
    value::{Basis, Fact, Value},
};

/// What the analysis of one function found.
#[derive(Default)]
pub(super) struct Outcome {
    /// Accesses by address.
    pub(super) accesses: BTreeMap<u64, (Kind, Basis)>,
    /// Arguments that it passes to functions without a prototype.
    pub(super) calls: Vec<(u64, [Value; 6])>,
    /// Calls of functions that hand out the mapping of a folio, with their target.
    pub(super) through: BTreeMap<u64, u64>,
    /// Functions it calls whose prototype does not say what they return.
    pub(super) untyped: Vec<u64>,
    /// What it returns.
    pub(super) returned: Value,
    /// Instructions in all, and those on no path that was found.
    pub(super) instructions: u64,
    pub(super) unreached: u64,
    /// Jumps through a register or table, whose targets are not known.
    pub(super) indirect_jumps: u64,
    /// Calls through a pointer, whose effects are not known.
    pub(super) indirect_calls: u64,
}

/// One run over all paths, given what is known of the whole function.
struct Paths<'a, 'b> {
    interpreter: &'b mut Interpreter<'a>,
    summaries: &'b Summaries,
    code: &'b mut Code,
    /// State before the instruction at an address that control can jump to.
    before: HashMap<u64, State>,
    waiting: VecDeque<u64>,
    /// States behind `ud2`: `WARN` goes on there, `BUG` does not.
    traps: Vec<(u64, State)>,
    outcome: Outcome,
    uses: HashMap<u64, Uses>,
    recording: bool,
}

/// Analyses `function`.
pub(super) fn analyse(
    program: &Program<'_>,
    function: &Function,
    summaries: &Summaries,
) -> Outcome {
    let mut code = Code::of(program.image, function);
    let interpreter = Interpreter::new(program, function);
    analyse_code(interpreter, &mut code, summaries)
}

/// Analyses instructions that are decoded already.
pub(super) fn analyse_code(
    mut interpreter: Interpreter<'_>,
    code: &mut Code,
    summaries: &Summaries,
) -> Outcome {
    /// Each run may learn types that the next one needs; few need more than two.
    const RUNS: usize = 6;
    let mut outcome = Outcome::default();
    for _ in 0..RUNS {
        let extent = interpreter.knowledge.extent() + code.extent();
        let mut paths = Paths {
            interpreter: &mut interpreter,
            summaries,
            code,
            before: HashMap::new(),
            waiting: VecDeque::new(),
            traps: Vec::new(),
            outcome: Outcome::default(),
            uses: HashMap::new(),
            recording: false,
        };
        paths.follow();
        outcome = paths.record();
        if interpreter.knowledge.extent() + code.extent() == extent {
            break;
        }
    }
    if interpreter.knowledge.casts {
        for (_, basis) in outcome.accesses.values_mut() {
            if *basis != Basis::Typed {
                *basis = Basis::Weak;
            }
        }
    }
    outcome
}

impl Paths<'_, '_> {
    fn follow(&mut self) {
        let start = self.interpreter.function.address;
        let entry = self.interpreter.entry(self.summaries);
        self.arrive(start, &entry);
        // Joins only grow and are bounded, so this ends; the limit is for odd code.
        let mut budget = 64 * self.code.iter().len() + 1024;
        loop {
            while let Some(address) = self.waiting.pop_front() {
                let Some(state) = self.before.get(&address).cloned() else {
                    continue;
                };
                let Some(steps) = budget.checked_sub(1) else {
                    return;
                };
                budget = steps;
                self.run_from(address, state);
            }
            // Code behind a trap that nothing jumps to belongs to a warning.
            let traps = std::mem::take(&mut self.traps);
            for (address, state) in traps {
                if !self.code.is_target(address) {
                    self.arrive(address, &state);
                }
            }
            if self.waiting.is_empty() {
                return;
            }
        }
    }

    /// Runs every block once more with its final state and notes what it does.
    fn record(mut self) -> Outcome {
        self.recording = true;
        let starts: Vec<u64> = self.before.keys().copied().collect();
        let mut reached = std::collections::HashSet::new();
        for start in starts {
            if let Some(state) = self.before.get(&start).cloned() {
                self.run_block(start, state, &mut reached);
            }
        }
        let uses = std::mem::take(&mut self.uses);
        for (address, (kind, _)) in &mut self.outcome.accesses {
            *kind = uses.get(address).copied().unwrap_or_default().refine(*kind);
        }
        // Padding between functions is no code.
        let code = self.code.iter().filter(|instruction| {
            !matches!(instruction.mnemonic(), Mnemonic::Int3 | Mnemonic::Nop)
        });
        for instruction in code {
            self.outcome.instructions += 1;
            self.outcome.unreached += u64::from(!reached.contains(&instruction.ip()));
        }
        self.outcome
    }

    fn run_from(&mut self, address: u64, state: State) {
        let mut ignored = std::collections::HashSet::new();
        self.run_block(address, state, &mut ignored);
    }

    /// Interprets from `address` to the end of the block.
    fn run_block(
        &mut self,
        address: u64,
        mut state: State,
        reached: &mut std::collections::HashSet<u64>,
    ) {
        let Some(mut position) = self.code.position(address) else {
            return;
        };
        let mut first = true;
        while let Some(instruction) = self.code.at(position).copied() {
            let here = instruction.ip();
            if !first && self.code.is_leader(here) {
                if !self.recording {
                    self.arrive(here, &state);
                }
                return;
            }
            first = false;
            if self.recording {
                reached.insert(here);
                self.note(&instruction, &state);
            }
            if let Some(target) = self.interpreter.program.label(here) {
                self.arrive(target, &state);
            }
            if !self.step(&instruction, &mut state) {
                return;
            }
            position += 1;
            // Parts of a function are not contiguous.
            if self.code.at(position).map(Instruction::ip) != Some(instruction.next_ip()) {
                return;
            }
        }
    }

    /// Control can come to `address` with `state`.
    fn arrive(&mut self, address: u64, state: &State) {
        if self.recording {
            return;
        }
        if let Some(known) = self.before.get_mut(&address) {
            if !known.join(state) {
                return;
            }
        } else {
            self.code.lead(address);
            self.before.insert(address, state.clone());
        }
        if !self.waiting.contains(&address) {
            self.waiting.push_back(address);
        }
    }

    /// Applies one instruction; false when control does not go on behind it.
    fn step(&mut self, instruction: &Instruction, state: &mut State) -> bool {
        match instruction.flow_control() {
            FlowControl::Next => {
                self.interpreter.apply(instruction, state);
                true
            }
            FlowControl::Call => {
                if instruction.op0_kind() == OpKind::NearBranch64 {
                    self.call(instruction, state);
                } else {
                    self.interpreter.call_unknown(instruction, state);
                    self.outcome.indirect_calls += u64::from(self.recording);
                }
                true
            }
            FlowControl::IndirectCall => {
                self.interpreter.call_unknown(instruction, state);
                self.outcome.indirect_calls += u64::from(self.recording);
                true
            }
            FlowControl::ConditionalBranch => {
                self.go(instruction.near_branch_target(), state);
                true
            }
            FlowControl::UnconditionalBranch => {
                self.jump(instruction, state);
                false
            }
            FlowControl::IndirectBranch => {
                self.outcome.indirect_jumps += u64::from(self.recording);
                false
            }
            FlowControl::Return => {
                self.returned(state);
                false
            }
            FlowControl::Exception if !self.recording => {
                self.traps.push((instruction.next_ip(), state.clone()));
                false
            }
            FlowControl::Exception | FlowControl::Interrupt | FlowControl::XbeginXabortXend => {
                false
            }
        }
    }

    fn call(&mut self, instruction: &Instruction, state: &mut State) {
        let target = instruction.near_branch_target();
        let program = self.interpreter.program;
        let callee = program.function_at(target);
        if callee.is_some_and(|callee| callee.name.starts_with("__x86_indirect_thunk")) {
            self.interpreter.call_unknown(instruction, state);
            self.outcome.indirect_calls += u64::from(self.recording);
            return;
        }
        if self.recording
            && callee.is_some_and(|to| roles::hands_out_mapping(program.types, to.source_name()))
        {
            self.outcome.through.insert(instruction.ip(), target);
        }
        if self.recording && callee.is_some_and(|callee| program.prototype(callee).is_none()) {
            self.pass(target, state);
        }
        let typed = self
            .interpreter
            .call(instruction, target, self.summaries, state);
        if self.recording && !typed {
            self.outcome.untyped.push(target);
        }
    }

    /// Remembers the typed arguments of a call for the callee's own analysis.
    fn pass(&mut self, target: u64, state: &State) {
        let arguments = ARGUMENTS.map(|register| {
            state
                .register(register)
                .only(|fact| matches!(fact, Fact::Points { .. }))
        });
        self.outcome.calls.push((target, arguments));
    }

    fn go(&mut self, target: u64, state: &State) {
        if !self.code.contains(target) {
            let program = self.interpreter.program;
            match program.function_around(target) {
                Some(part) if part.is_cold() => self.code.add(program.image, part),
                _ => return,
            }
        }
        self.arrive(target, state);
    }

    fn jump(&mut self, instruction: &Instruction, state: &mut State) {
        let target = instruction.near_branch_target();
        let program = self.interpreter.program;
        let destination = program.function_around(target);
        let inside = self.code.contains(target) || destination.is_some_and(Function::is_cold);
        if inside {
            self.go(target, state);
            return;
        }
        match destination {
            Some(thunk) if thunk.is_return_thunk() => self.returned(state),
            Some(thunk) if thunk.name.starts_with("__x86_indirect_thunk") => {
                self.outcome.indirect_calls += u64::from(self.recording);
            }
            Some(callee) if callee.address == target => {
                self.call(instruction, state);
                self.returned(state);
            }
            _ => self.feature_test(target, state),
        }
    }

    /// `static_cpu_has` jumps to a test in `.altinstr_aux` that jumps back to either of
    /// two places.
    fn feature_test(&mut self, target: u64, state: &State) {
        let test = Code::of_bytes(self.interpreter.program.image.bytes_at(target, 32), target);
        for instruction in test.iter().take(3) {
            if instruction.op0_kind() == OpKind::NearBranch64 {
                let back = instruction.near_branch_target();
                if self.code.contains(back) {
                    self.arrive(back, state);
                }
            } else if instruction.mnemonic() != Mnemonic::Test {
                return;
            }
        }
    }

    fn returned(&mut self, state: &State) {
        if !self.recording {
            return;
        }
        let program = self.interpreter.program;
        let folios = state.register(0).only(
            |fact| matches!(fact, Fact::Points { to, offset: 0, .. } if program.is_folio(to)),
        );
        self.outcome.returned.join(&folios);
    }

    fn note(&mut self, instruction: &Instruction, state: &State) {
        if let Some(Access { kind, basis }) = self.interpreter.access(instruction, state) {
            self.outcome
                .accesses
                .insert(instruction.ip(), (kind, basis));
        }
        let uses = &mut self.uses;
        self.interpreter
            .uses(instruction, state, &mut |site, what| {
                let known = uses.entry(site).or_default();
                known.tested |= what.tested;
                known.compared |= what.compared;
                known.followed |= what.followed;
            });
    }
}

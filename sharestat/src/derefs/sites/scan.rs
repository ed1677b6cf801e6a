//! Analyses all functions of a kernel, on all CPUs, in rounds: what one round learns of
//! arguments and results that BTF does not describe, the next one uses.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{
    access::Kind,
    code::Code,
    function::{self, Outcome},
    program::{Function, Program, Summaries},
    roles,
    site::{self, Site},
    subsystem::Subsystems,
    value::{Basis, Fact, Value},
};

/// What was looked at, and what could not be seen.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Coverage {
    /// Functions analysed.
    pub functions: u64,
    /// Those whose arguments BTF describes.
    pub typed_functions: u64,
    /// Instructions in them.
    pub instructions: u64,
    /// Instructions on no path that was found.
    pub unreached_instructions: u64,
    /// Jumps through a register or table, not followed.
    pub indirect_jumps: u64,
    /// Calls through a pointer: results not typed.
    pub indirect_calls: u64,
    /// Patched branches (jump labels) that were followed both ways.
    pub jump_labels: u64,
}

/// A call of a function that hands out the mapping of the folio it is given.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Through {
    /// The function in the source that calls.
    pub function: String,
    /// Symbol.
    pub symbol: String,
    /// Offset of the call from it, in bytes.
    pub offset: u64,
    /// The function that is called.
    pub called: String,
}

/// What a scan finds.
pub(super) struct Found {
    /// Sites, by address.
    pub(super) sites: Vec<Site>,
    /// Calls of functions that hand out mappings, by address.
    pub(super) through: Vec<Through>,
    /// What was looked at.
    pub(super) coverage: Coverage,
}

/// Rounds over the whole kernel.
const ROUNDS: usize = 4;

/// Everything found in `program`.
pub(super) fn scan(program: &Program<'_>) -> Found {
    let mut summaries = Summaries::default();
    let mut outcomes = analyse_all(program, &summaries, &|_, _| true);
    for _ in 1..ROUNDS {
        let learnt = summarise(program, &outcomes);
        let before: HashMap<usize, &Outcome> = outcomes
            .iter()
            .map(|(at, outcome)| (*at, outcome))
            .collect();
        let again = analyse_all(program, &learnt, &|at, function| {
            let address = function.address;
            let news = |callee: &u64| learnt.returned.get(callee) != summaries.returned.get(callee);
            learnt.arguments.get(&address) != summaries.arguments.get(&address)
                || before
                    .get(&at)
                    .is_some_and(|outcome| outcome.untyped.iter().any(news))
        });
        if again.is_empty() {
            break;
        }
        let again: HashMap<usize, Outcome> = again.into_iter().collect();
        outcomes.retain(|(at, _)| !again.contains_key(at));
        outcomes.extend(again);
        outcomes.sort_by_key(|(at, _)| *at);
        summaries = learnt;
    }
    let mut coverage = Coverage {
        jump_labels: u64::try_from(program.label_count()).unwrap_or(0),
        ..Coverage::default()
    };
    let mut found: BTreeMap<u64, (usize, Kind, Basis)> = BTreeMap::new();
    let mut through = BTreeMap::new();
    for (at, outcome) in &outcomes {
        coverage.functions += 1;
        let typed = program
            .functions
            .get(*at)
            .is_some_and(|function| program.prototype(function).is_some());
        coverage.typed_functions += u64::from(typed);
        coverage.instructions += outcome.instructions;
        coverage.unreached_instructions += outcome.unreached;
        coverage.indirect_jumps += outcome.indirect_jumps;
        coverage.indirect_calls += outcome.indirect_calls;
        for (address, (kind, basis)) in &outcome.accesses {
            found.entry(*address).or_insert((*at, *kind, *basis));
        }
        for (address, called) in &outcome.through {
            through.entry(*address).or_insert((*at, *called));
        }
    }
    Found {
        sites: sites(program, &found),
        through: calls(program, &through),
        coverage,
    }
}

/// The calls at these addresses: in which function, and of which.
fn calls(program: &Program<'_>, through: &BTreeMap<u64, (usize, u64)>) -> Vec<Through> {
    through
        .iter()
        .filter_map(|(address, (at, called))| {
            let part = program.function_around(*address)?;
            Some(Through {
                function: program.functions.get(*at)?.source_name().to_owned(),
                symbol: part.name.clone(),
                offset: address - part.address,
                called: program.function_at(*called)?.source_name().to_owned(),
            })
        })
        .collect()
}

/// Analyses the functions that `wanted` accepts.
fn analyse_all(
    program: &Program<'_>,
    summaries: &Summaries,
    wanted: &(dyn Fn(usize, &Function) -> bool + Sync),
) -> Vec<(usize, Outcome)> {
    const BATCH: usize = 64;
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let work = || {
        let mut done = Vec::new();
        loop {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(rest) = program.functions.get(first..) else {
                return done;
            };
            for (at, function) in (first..).zip(rest.iter().take(BATCH)) {
                // Cold parts are analysed with the function they belong to.
                if !function.is_cold() && wanted(at, function) {
                    done.push((at, function::analyse(program, function, summaries)));
                }
            }
        }
    };
    let mut outcomes: Vec<_> = thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        handles
            .into_iter()
            .flat_map(|handle| match handle.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    outcomes.sort_by_key(|(at, _)| *at);
    outcomes
}

/// Joins what callers pass and functions return.
fn summarise(program: &Program<'_>, outcomes: &[(usize, Outcome)]) -> Summaries {
    #[derive(Default)]
    struct Passed {
        calls: u32,
        arguments: [(u32, Value); 6],
    }
    let mut passed: HashMap<u64, Passed> = HashMap::new();
    let mut summaries = Summaries::default();
    for (at, outcome) in outcomes {
        for (target, arguments) in &outcome.calls {
            let known = passed.entry(*target).or_default();
            known.calls += 1;
            for (sum, argument) in known.arguments.iter_mut().zip(arguments) {
                sum.0 += u32::from(!argument.is_empty());
                sum.1.join(argument);
            }
        }
        if let Some(function) = program.functions.get(*at)
            && !outcome.returned.is_empty()
        {
            let returned = outcome.returned.facts().map(derived).collect();
            summaries.returned.insert(function.address, returned);
        }
    }
    for (target, passed) in passed {
        let arguments = passed.arguments.map(|(typed, value)| {
            // An argument that most callers give no type is not described by the rest.
            if typed * 2 >= passed.calls {
                value.facts().map(derived).collect()
            } else {
                Value::default()
            }
        });
        summaries.arguments.insert(target, arguments);
    }
    summaries
}

fn derived(fact: Fact) -> Fact {
    match fact {
        Fact::Points { to, offset, basis } => Fact::Points {
            to,
            offset,
            basis: basis.max(Basis::Derived),
        },
        other => other,
    }
}

fn sites(program: &Program<'_>, found: &BTreeMap<u64, (usize, Kind, Basis)>) -> Vec<Site> {
    let symbols = program.image.symbols().iter();
    let subsystems = Subsystems::new(symbols.map(|symbol| (symbol.address, &*symbol.name)));
    let mut taken: HashMap<String, u32> = HashMap::new();
    found
        .iter()
        .filter_map(|(address, (at, kind, basis))| {
            let function = program.functions.get(*at)?;
            let part = program.function_around(*address)?;
            let code = Code::of(program.image, part);
            let position = code.position(*address)?;
            let source = function.source_name();
            let hash = site::context_hash(&code, position);
            let mut id = format!("{source}:{}:{hash:08x}", kind.name());
            let nth = taken.entry(id.clone()).or_default();
            *nth += 1;
            if *nth > 1 {
                id = format!("{id}.{nth}");
            }
            let (base, displacement) = site::operand(code.at(position)?);
            Some(Site {
                base,
                displacement,
                id,
                address: *address,
                symbol: part.name.clone(),
                offset: address - part.address,
                function: source.to_owned(),
                instruction: site::text(code.at(position)?),
                kind: *kind,
                basis: *basis,
                direct: roles::direct_argument(program.types, source).map(str::to_owned),
                subsystem: subsystems.find(source, function.address),
                source: Vec::new(),
            })
        })
        .collect()
}

/// The instructions around `site`, `before` and `after` it, marked where it is.
#[must_use]
pub fn context(program: &Program<'_>, site: &Site, before: usize, after: usize) -> Vec<String> {
    let Some(part) = program.function_around(site.address) else {
        return Vec::new();
    };
    let part: &Function = part;
    let code = Code::of(program.image, part);
    let Some(position) = code.position(site.address) else {
        return Vec::new();
    };
    (position.saturating_sub(before)..=position + after)
        .filter_map(|at| code.at(at))
        .map(|instruction| {
            let mark = if instruction.ip() == site.address {
                "=>"
            } else {
                "  "
            };
            let target = (instruction.op0_kind() == iced_x86::OpKind::NearBranch64)
                .then(|| program.image.symbol_at(instruction.near_branch_target()))
                .flatten()
                .map(|(name, offset)| format!("  <{name}+{offset:#x}>"))
                .unwrap_or_default();
            format!(
                "{mark} +{:#x}: {}{target}",
                instruction.ip() - part.address,
                site::text(instruction)
            )
        })
        .collect()
}

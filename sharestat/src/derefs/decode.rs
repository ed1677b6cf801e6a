//! The instruction that made an access. A watchpoint reports the address behind it; the
//! code of the function, decoded from its start, tells which instruction that was.

use std::collections::HashSet;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
};

use super::sites::{Kind, instruction_text, kind_of};

/// An accessing instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessInstruction {
    /// Its address.
    pub address: u64,
    /// Intel syntax.
    pub text: String,
    /// What it does with the word.
    pub kind: Kind,
}

/// Finds the instruction that accessed memory just before `behind`, in the function whose
/// `code` starts at `start`.
#[must_use]
pub fn access_before(code: &[u8], start: u64, behind: u64) -> Option<AccessInstruction> {
    let instructions: Vec<Instruction> = Decoder::with_ip(64, code, start, DecoderOptions::NONE)
        .into_iter()
        .collect();
    let mut info = InstructionInfoFactory::new();
    let ends_at = |address: u64| {
        instructions
            .iter()
            .position(|instruction| instruction.next_ip() == address && !instruction.is_invalid())
    };
    let previous = ends_at(behind)?;
    if let Some(found) = access(&instructions, previous, &mut info) {
        return Some(found);
    }
    // A comparison and the jump behind it may retire as one: look in front of the jumps
    // that lead here, and of the one that did not jump.
    instructions
        .iter()
        .enumerate()
        .filter(|(at, instruction)| {
            matches!(
                instruction.flow_control(),
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
            ) && (instruction.near_branch_target() == behind || *at == previous)
        })
        .find_map(|(at, _)| access(&instructions, at.checked_sub(1)?, &mut info))
}

fn access(
    instructions: &[Instruction],
    at: usize,
    info: &mut InstructionInfoFactory,
) -> Option<AccessInstruction> {
    let instruction = instructions.get(at)?;
    let memory = (0..instruction.op_count()).any(|nth| instruction.op_kind(nth) == OpKind::Memory);
    let other = matches!(
        instruction.memory_base(),
        Register::RSP | Register::RIP | Register::EIP
    );
    if !memory || other || instruction.mnemonic() == Mnemonic::Lea {
        return None;
    }
    let kind = refine(kind_of(instruction, info)?, at, instructions, info);
    Some(AccessInstruction {
        address: instruction.ip(),
        text: instruction_text(instruction),
        kind,
    })
}

/// What one instruction does with a value in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Nothing,
    Tests,
    Compares,
    Follows,
    Overwrites,
}

/// A load whose value is only tested for tags, or only compared, is a test or comparison:
/// follows the register on all paths of the function until it is overwritten.
fn refine(kind: Kind, at: usize, code: &[Instruction], info: &mut InstructionInfoFactory) -> Kind {
    let Some(load) = code.get(at) else {
        return kind;
    };
    if kind != Kind::Load || load.op0_kind() != OpKind::Register {
        return kind;
    }
    let value = load.op0_register().full_register();
    let mut seen = Kind::Load;
    let mut visited = HashSet::new();
    let mut waiting = vec![at + 1];
    while let Some(position) = waiting.pop() {
        let Some(next) = code.get(position).filter(|_| visited.insert(position)) else {
            continue;
        };
        match use_of(next, value, info) {
            Use::Follows => return Kind::Load,
            Use::Overwrites => continue,
            Use::Compares => seen = Kind::Compare,
            Use::Tests if seen == Kind::Load => seen = Kind::TagTest,
            Use::Tests | Use::Nothing => {}
        }
        let branches = |code: &[Instruction]| {
            code.binary_search_by_key(&next.near_branch_target(), Instruction::ip)
        };
        match next.flow_control() {
            FlowControl::ConditionalBranch => {
                waiting.push(position + 1);
                // A branch into a cold part leads out of sight.
                match branches(code) {
                    Ok(target) => waiting.push(target),
                    Err(_) => return Kind::Load,
                }
            }
            FlowControl::UnconditionalBranch => match branches(code) {
                Ok(target) => waiting.push(target),
                Err(_) => return Kind::Load,
            },
            FlowControl::Return => {}
            FlowControl::IndirectBranch => return Kind::Load,
            _ => waiting.push(position + 1),
        }
    }
    seen
}

fn use_of(next: &Instruction, value: Register, info: &mut InstructionInfoFactory) -> Use {
    /// Registers that a call passes arguments in, and the others that it may change.
    const ARGUMENTS: [Register; 6] = [
        Register::RDI,
        Register::RSI,
        Register::RDX,
        Register::RCX,
        Register::R8,
        Register::R9,
    ];
    const CLOBBERED: [Register; 3] = [Register::RAX, Register::R10, Register::R11];
    let is = |register: Register| register.full_register() == value;
    let in_register = |nth: u32| {
        next.op_count() > nth && next.op_kind(nth) == OpKind::Register && is(next.op_register(nth))
    };
    if is(next.memory_base()) || is(next.memory_index()) {
        return Use::Follows;
    }
    let with_register = next.op_count() > 1 && next.op1_kind() == OpKind::Register;
    match next.mnemonic() {
        Mnemonic::Cmp if in_register(0) || in_register(1) => return Use::Compares,
        Mnemonic::Test if with_register && (in_register(0) || in_register(1)) => {
            return Use::Compares;
        }
        Mnemonic::Test | Mnemonic::Bt if in_register(0) => return Use::Tests,
        // Keeping the tag bits is a test, clearing them leaves the pointer.
        Mnemonic::And if in_register(0) && !with_register => {
            return if next.immediate(1).cast_signed() < 0 {
                Use::Nothing
            } else {
                Use::Tests
            };
        }
        Mnemonic::Call if ARGUMENTS.contains(&value) => return Use::Follows,
        Mnemonic::Call if CLOBBERED.contains(&value) => return Use::Overwrites,
        Mnemonic::Ret if value == Register::RAX => return Use::Follows,
        Mnemonic::Xor | Mnemonic::Sub if in_register(0) && in_register(1) => {
            return Use::Overwrites;
        }
        _ => {}
    }
    let mut reads = false;
    let mut writes = false;
    for used in info.info(next).used_registers() {
        if is(used.register()) {
            let access = used.access();
            reads |= !matches!(access, OpAccess::Write | OpAccess::CondWrite);
            writes |= access == OpAccess::Write;
        }
    }
    match (reads, writes) {
        (true, _) => Use::Follows,
        (false, true) => Use::Overwrites,
        (false, false) => Use::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 0xffff_ffff_8100_0000;

    #[test]
    fn the_access_is_the_instruction_before_the_reported_address() {
        // mov rax, [rdi+0x18]; test al, 1; jne +0; mov rcx, [rax]
        let code = [
            0x48, 0x8b, 0x47, 0x18, 0xa8, 0x01, 0x75, 0x00, 0x48, 0x8b, 0x08,
        ];
        let found = access_before(&code, START, START + 4).expect("an access");
        assert_eq!((found.address, found.kind), (START, Kind::Load));
        assert!(found.text.contains("0x18"), "{}", found.text);
        assert_eq!(
            access_before(&code, START, START + 3),
            None,
            "not a boundary"
        );
    }

    #[test]
    fn a_loaded_value_that_is_only_compared_is_a_comparison() {
        // mov rcx, [rdi+0x18]; cmp rcx, rsi; ret
        let code = [0x48, 0x8b, 0x4f, 0x18, 0x48, 0x39, 0xf1, 0xc3];
        let found = access_before(&code, START, START + 4).expect("an access");
        assert_eq!(found.kind, Kind::Compare);
    }

    #[test]
    fn a_value_that_is_followed_on_any_path_is_loaded() {
        // mov rax, [rdi+0x18]; test al, 2; je +3; xor eax, eax; ret; ret
        let code = [
            0x48, 0x8b, 0x47, 0x18, 0xa8, 0x02, 0x74, 0x03, 0x31, 0xc0, 0xc3, 0xc3,
        ];
        let found = access_before(&code, START, START + 4).expect("an access");
        assert_eq!(found.kind, Kind::Load, "returned where the bit is clear");
        // The same without returning it: mov rcx, [rdi+0x18]; test cl, 2; …
        let code = [
            0x48, 0x8b, 0x4f, 0x18, 0xf6, 0xc1, 0x02, 0x74, 0x03, 0x31, 0xc0, 0xc3, 0xc3,
        ];
        let found = access_before(&code, START, START + 4).expect("an access");
        assert_eq!(found.kind, Kind::TagTest);
    }

    #[test]
    fn a_comparison_that_retires_with_its_jump_is_found() {
        // cmp [rdi+0x18], rsi; jne +1; nop; ret
        let code = [0x48, 0x39, 0x77, 0x18, 0x75, 0x01, 0x90, 0xc3];
        for behind in [START + 4, START + 6, START + 7] {
            let found = access_before(&code, START, behind).expect("an access");
            assert_eq!((found.address, found.kind), (START, Kind::Compare));
        }
    }

    #[test]
    fn a_byte_test_is_counted_apart() {
        // test byte ptr [rdi+0x18], 1
        let code = [0xf6, 0x47, 0x18, 0x01];
        let found = access_before(&code, START, START + 4).expect("an access");
        assert_eq!(found.kind, Kind::TagTest);
    }
}

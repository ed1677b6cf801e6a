//! The instruction that made an access. A watchpoint reports the address behind it; the
//! code of the function, decoded from its start, tells which instruction that was.

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
    let kind = refine(kind_of(instruction, info)?, instructions.get(at..)?, info);
    Some(AccessInstruction {
        address: instruction.ip(),
        text: instruction_text(instruction),
        kind,
    })
}

/// A load whose value is next tested for tags or compared is a test or comparison; only
/// straight code behind it is looked at, so that this can miss some.
fn refine(kind: Kind, code: &[Instruction], info: &mut InstructionInfoFactory) -> Kind {
    let Some((load, rest)) = code.split_first() else {
        return kind;
    };
    if kind != Kind::Load || load.op0_kind() != OpKind::Register {
        return kind;
    }
    let value = load.op0_register().full_register();
    let mut seen = kind;
    for next in rest.iter().take(8) {
        let is_value = |nth: u32| {
            next.op_count() > nth
                && next.op_kind(nth) == OpKind::Register
                && next.op_register(nth).full_register() == value
        };
        let base = next.memory_base().full_register() == value
            || next.memory_index().full_register() == value;
        match next.mnemonic() {
            _ if base => return Kind::Load,
            Mnemonic::Test if is_value(0) && next.op1_kind() != OpKind::Register => {
                seen = Kind::TagTest;
            }
            Mnemonic::And if is_value(0) && next.op1_kind() != OpKind::Register => {
                if next.immediate(1).cast_signed() < 0 {
                    return Kind::Load;
                }
                seen = Kind::TagTest;
            }
            Mnemonic::Bt if is_value(0) => seen = Kind::TagTest,
            Mnemonic::Cmp | Mnemonic::Test if is_value(0) || is_value(1) => seen = Kind::Compare,
            Mnemonic::Call | Mnemonic::Jmp | Mnemonic::Ret => return seen,
            Mnemonic::Mov if is_value(1) => return Kind::Load,
            _ => {
                let overwritten = info.info(next).used_registers().iter().any(|used| {
                    used.register().full_register() == value
                        && matches!(used.access(), OpAccess::Write | OpAccess::ReadWrite)
                });
                if overwritten {
                    return seen;
                }
            }
        }
    }
    seen
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
        // mov rax, [rdi+0x18]; cmp rax, rsi; ret
        let code = [0x48, 0x8b, 0x47, 0x18, 0x48, 0x39, 0xf0, 0xc3];
        let found = access_before(&code, START, START + 4).expect("an access");
        assert_eq!(found.kind, Kind::Compare);
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

//! One place in the kernel's text that touches `folio->mapping`, as it is reported.

use iced_x86::{FastFormatter, Instruction, OpKind, Register};

use super::{access::Kind, code::Code, subsystem::Subsystem, value::Basis};

/// A site.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Site {
    /// Names the site across kernels: function, kind and a hash of the instructions.
    pub id: String,
    /// Link-time address.
    pub address: u64,
    /// Symbol that the address is in.
    pub symbol: String,
    /// Offset from that symbol, in bytes.
    pub offset: u64,
    /// The function in the source.
    pub function: String,
    /// The instruction, in Intel syntax.
    pub instruction: String,
    /// The base register of its memory operand, where there is no index.
    #[serde(default)]
    pub base: Option<String>,
    /// The displacement of that operand.
    #[serde(default)]
    pub displacement: Option<i32>,
    /// What it does.
    pub kind: Kind,
    /// How its base register is known to be a folio.
    pub basis: Basis,
    /// The argument of the function that puts the file at hand, where there is one.
    pub direct: Option<String>,
    /// Part of the kernel.
    pub subsystem: Subsystem,
    /// File and line, and the functions inlined there, innermost first; empty without
    /// debugging information.
    #[serde(default)]
    pub source: Vec<String>,
}

impl Site {
    /// Context class by prototype: `direct`, or `none`.
    #[must_use]
    pub fn class(&self) -> &'static str {
        if self.direct.is_some() {
            "direct"
        } else {
            "none"
        }
    }
}

/// Base register and displacement of the memory operand, when that is all there is to it.
pub(super) fn operand(instruction: &Instruction) -> (Option<String>, Option<i32>) {
    if instruction.memory_index() != Register::None {
        return (None, None);
    }
    let displacement = instruction.memory_displacement64().cast_signed();
    (
        Some(format!("{:?}", instruction.memory_base())),
        i32::try_from(displacement).ok(),
    )
}

/// Text of `instruction`.
#[must_use]
pub fn text(instruction: &Instruction) -> String {
    let mut formatter = FastFormatter::new();
    formatter.options_mut().set_use_hex_prefix(true);
    formatter
        .options_mut()
        .set_space_after_operand_separator(true);
    let mut text = String::new();
    formatter.format(instruction, &mut text);
    text
}

/// Hash of the instruction at `position` and the two behind it, without what another
/// build of the same source changes: register choice, addresses, stack offsets.
pub(super) fn context_hash(code: &Code, position: usize) -> u32 {
    let mut hash = Fnv::default();
    for nth in 0..3 {
        let Some(instruction) = code.at(position + nth) else {
            break;
        };
        hash.add(&format!("{:?}", instruction.mnemonic()));
        for operand in 0..instruction.op_count() {
            match instruction.op_kind(operand) {
                OpKind::Memory => {
                    let relative = matches!(
                        instruction.memory_base(),
                        Register::RSP | Register::RIP | Register::EIP
                    );
                    let at = instruction.memory_displacement64();
                    hash.add(&if relative {
                        "m".to_owned()
                    } else {
                        format!("m{at:x}")
                    });
                }
                OpKind::Register => {
                    hash.add(&format!("r{}", instruction.op_register(operand).size()));
                }
                OpKind::NearBranch64 => hash.add("b"),
                _ => hash.add(&format!("i{:x}", instruction.immediate(operand))),
            }
        }
    }
    hash.0
}

/// `context_hash` of the instruction at `address` in a function with this `code`.
#[must_use]
pub fn context_hash_at(code: &[u8], start: u64, address: u64) -> Option<u32> {
    let code = Code::of_bytes(code, start);
    Some(context_hash(&code, code.position(address)?))
}

/// FNV-1a: the ids must be the same on every machine and in every version.
struct Fnv(u32);

impl Default for Fnv {
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl Fnv {
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
}

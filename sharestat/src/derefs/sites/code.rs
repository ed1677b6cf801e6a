//! The instructions of one function, its cold parts included as they are reached.

use std::collections::HashSet;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};

use super::{image::KernelImage, program::Function};

/// Decoded instructions, by address.
#[derive(Default)]
pub(super) struct Code {
    instructions: Vec<Instruction>,
    ranges: Vec<(u64, u64)>,
    /// Addresses that branches name.
    targets: HashSet<u64>,
    /// Further addresses where blocks start: code that is patched in, or behind a trap.
    leaders: HashSet<u64>,
}

impl Code {
    /// Decodes `function`.
    #[must_use]
    pub(super) fn of(image: &KernelImage, function: &Function) -> Self {
        let mut code = Self::default();
        code.add(image, function);
        code
    }

    /// Decodes raw `bytes` as if they stood at `address`.
    #[must_use]
    pub(super) fn of_bytes(bytes: &[u8], address: u64) -> Self {
        let mut code = Self::default();
        code.decode(bytes, address);
        code
    }

    /// Decodes one more part of the function.
    pub(super) fn add(&mut self, image: &KernelImage, part: &Function) {
        if self.contains(part.address) {
            return;
        }
        let length = usize::try_from(part.end - part.address).unwrap_or(0);
        self.decode(image.bytes_at(part.address, length), part.address);
    }

    fn decode(&mut self, bytes: &[u8], address: u64) {
        let length = u64::try_from(bytes.len()).unwrap_or(0);
        self.ranges.push((address, address.saturating_add(length)));
        for instruction in Decoder::with_ip(64, bytes, address, DecoderOptions::NONE) {
            if instruction.is_invalid() {
                continue;
            }
            let branches = matches!(
                instruction.flow_control(),
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
            );
            if branches {
                self.targets.insert(instruction.near_branch_target());
            }
            self.instructions.push(instruction);
        }
        self.instructions.sort_by_key(Instruction::ip);
    }

    /// Whether a block starts at `address`.
    #[must_use]
    pub(super) fn is_leader(&self, address: u64) -> bool {
        self.is_target(address) || self.leaders.contains(&address)
    }

    /// Whether a branch names `address`.
    #[must_use]
    pub(super) fn is_target(&self, address: u64) -> bool {
        self.targets.contains(&address)
    }

    /// A block starts at `address`.
    pub(super) fn lead(&mut self, address: u64) {
        if !self.is_target(address) {
            self.leaders.insert(address);
        }
    }

    /// Changes whenever a part or a block was added.
    #[must_use]
    pub(super) fn extent(&self) -> usize {
        self.instructions.len() + self.leaders.len()
    }

    /// Whether `address` is inside.
    #[must_use]
    pub(super) fn contains(&self, address: u64) -> bool {
        self.ranges
            .iter()
            .any(|(start, end)| (*start..*end).contains(&address))
    }

    /// Position of the instruction at `address`.
    #[must_use]
    pub(super) fn position(&self, address: u64) -> Option<usize> {
        self.instructions
            .binary_search_by_key(&address, Instruction::ip)
            .ok()
    }

    /// The instruction at `position`.
    #[must_use]
    pub(super) fn at(&self, position: usize) -> Option<&Instruction> {
        self.instructions.get(position)
    }

    /// All instructions, by address.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Instruction> {
        self.instructions.iter()
    }
}

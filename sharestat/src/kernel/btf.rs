//! Looks up structures, members and enum values in the running kernel's BTF.

use std::{fs, path::Path, sync::Arc};

use super::{
    btf_section::{Kind, Section},
    error::Error,
};

pub use super::{
    btf_blob::{VMLINUX, kernel as kernel_bytes, kernel_digest},
    btf_section::BtfError,
};

/// Aliases and anonymous members nest a few levels deep; damaged BTF may nest endlessly.
const DEEPEST: usize = 32;
/// Anonymous structures that one member is looked for in. Damaged BTF may have two of
/// itself in each.
const MOST_ANONYMOUS: usize = 4096;

/// A place in a structure: offset in bytes, and the type found there.
struct Found {
    offset: u64,
    kind: u32,
}

/// BTF of the running kernel, or of one of its modules on top of it.
pub struct KernelTypes {
    section: Arc<Section>,
}

impl KernelTypes {
    /// Types of the kernel image.
    ///
    /// # Errors
    /// When the kernel has no BTF or it cannot be parsed.
    pub fn of_kernel() -> Result<Self, Error> {
        kernel_bytes()
            .map_err(BtfError::from)
            .and_then(|bytes| Section::new(bytes, None))
            .map(Self::new)
            .map_err(|source| Error::Btf {
                path: VMLINUX.into(),
                source,
            })
    }

    fn new(section: Section) -> Self {
        Self {
            section: Arc::new(section),
        }
    }

    /// The blob.
    pub(super) fn bytes(&self) -> &[u8] {
        self.section.bytes()
    }

    /// Types of a loaded module, on top of the kernel's; `None` when the module is not
    /// loaded or has no BTF.
    #[must_use]
    pub fn of_module(&self, module: &str) -> Option<Self> {
        let bytes = fs::read(Path::new("/sys/kernel/btf").join(module)).ok()?;
        let section = Section::new(bytes, Some(Arc::clone(&self.section))).ok()?;
        Some(Self::new(section))
    }

    /// Types from the bytes of a BTF blob, for tests and foreign kernels.
    ///
    /// # Errors
    /// When the bytes are not BTF.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BtfError> {
        Section::new(bytes.to_vec(), None).map(Self::new)
    }

    /// Structures or unions called `name`. Modules may carry several copies of one
    /// structure, some of them empty; those with members are returned.
    fn structures(&self, name: &str) -> impl Iterator<Item = u32> {
        self.section
            .named(name)
            .into_iter()
            .filter(|id| self.section.members(*id).next().is_some())
    }

    /// Size of `structure` in bytes.
    #[must_use]
    pub fn size_of(&self, structure: &str) -> Option<u64> {
        self.structures(structure)
            .find_map(|id| match self.section.kind(id)? {
                Kind::Composite { size } => Some(size),
                _ => None,
            })
    }

    /// Whether the kernel has a function `name` that BTF knows.
    #[must_use]
    pub fn has_function(&self, name: &str) -> bool {
        self.section
            .named(name)
            .into_iter()
            .any(|id| matches!(self.section.kind(id), Some(Kind::Function { .. })))
    }

    /// Number of arguments of the function `name`.
    #[must_use]
    pub fn arguments(&self, name: &str) -> Option<usize> {
        self.section.named(name).into_iter().find_map(|id| {
            let Kind::Function { prototype } = self.section.kind(id)? else {
                return None;
            };
            match self.section.kind(prototype)? {
                Kind::Prototype { arguments } => Some(arguments),
                _ => None,
            }
        })
    }

    /// Offset in bytes of `path` (member, member of that member, …) in `structure`.
    #[must_use]
    pub fn offset_of(&self, structure: &str, path: &[&str]) -> Option<u64> {
        self.structures(structure)
            .find_map(|id| self.walk(id, path))
            .map(|found| found.offset)
    }

    /// Elements of the array member `path` of `structure`.
    #[must_use]
    pub fn array_length(&self, structure: &str, path: &[&str]) -> Option<u64> {
        self.structures(structure).find_map(|id| {
            let found = self.walk(id, path)?;
            match self.section.kind(found.kind)? {
                Kind::Array { length } => Some(length),
                _ => None,
            }
        })
    }

    /// Value of `variant` of the enum `name`.
    #[must_use]
    pub fn enum_value(&self, name: &str, variant: &str) -> Option<u64> {
        self.section
            .named(name)
            .into_iter()
            .find_map(|id| self.section.value(id, variant))
    }

    fn walk(&self, start: u32, path: &[&str]) -> Option<Found> {
        let start = Found {
            offset: 0,
            kind: start,
        };
        path.iter().try_fold(start, |at, name| {
            let inner = self.member(at.kind, name, DEEPEST, &mut { MOST_ANONYMOUS })?;
            Some(Found {
                offset: at.offset + inner.offset,
                kind: inner.kind,
            })
        })
    }

    /// The member `name` of `kind`, also inside its anonymous structures and unions.
    fn member(&self, kind: u32, name: &str, deepest: usize, left: &mut usize) -> Option<Found> {
        let deepest = deepest.checked_sub(1)?;
        *left = left.checked_sub(1)?;
        self.section.members(self.strip(kind)?).find_map(|member| {
            let offset = u64::from(member.bits / 8);
            if member.name == name.as_bytes() {
                return Some(Found {
                    offset,
                    kind: self.strip(member.kind)?,
                });
            }
            if member.name.is_empty() {
                let inner = self.member(member.kind, name, deepest, left)?;
                return Some(Found {
                    offset: offset + inner.offset,
                    kind: inner.kind,
                });
            }
            None
        })
    }

    /// `kind` without typedefs and qualifiers.
    fn strip(&self, kind: u32) -> Option<u32> {
        let mut kind = kind;
        for _ in 0..DEEPEST {
            match self.section.kind(kind)? {
                Kind::Alias { of } => kind = of,
                _ => return Some(kind),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;

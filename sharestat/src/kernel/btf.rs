//! Looks up structures, members and enum values in the running kernel's BTF.

use std::path::Path;

use btf_rs::{Btf, Type};

use super::error::Error;

/// Where the kernel publishes its type information.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// A place in a structure: offset in bytes, and the type found there.
struct Found {
    offset: u64,
    kind: Type,
}

/// BTF of the running kernel, or of one of its modules on top of it.
pub struct KernelTypes {
    btf: Btf,
}

impl KernelTypes {
    /// Types of the kernel image.
    ///
    /// # Errors
    /// When the kernel has no BTF or it cannot be parsed.
    pub fn of_kernel() -> Result<Self, Error> {
        let path = Path::new(VMLINUX);
        match Btf::from_file(path) {
            Ok(btf) => Ok(Self { btf }),
            Err(source) => Err(Error::Btf {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Types of a loaded module, on top of the kernel's; `None` when the module is not
    /// loaded or has no BTF.
    #[must_use]
    pub fn of_module(&self, module: &str) -> Option<Self> {
        let path = Path::new("/sys/kernel/btf").join(module);
        Btf::from_split_file(path, &self.btf)
            .ok()
            .map(|btf| Self { btf })
    }

    /// Types from the bytes of a BTF blob, for tests and foreign kernels.
    ///
    /// # Errors
    /// When the bytes are not BTF.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, btf_rs::Error> {
        Btf::from_bytes(bytes).map(|btf| Self { btf })
    }

    /// Structures or unions called `name`. Modules may carry several copies of one
    /// structure, some of them forward declarations; complete ones are returned.
    fn structures(&self, name: &str) -> Vec<btf_rs::Struct> {
        self.btf
            .resolve_types_by_name(name)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|kind| match kind {
                Type::Struct(structure) | Type::Union(structure) => Some(structure),
                _ => None,
            })
            .filter(|structure| !structure.members.is_empty())
            .collect()
    }

    /// Size of `structure` in bytes.
    #[must_use]
    pub fn size_of(&self, structure: &str) -> Option<u64> {
        self.structures(structure)
            .first()
            .map(|found| found.size() as u64)
    }

    /// Whether the kernel has a function `name` that BTF knows.
    #[must_use]
    pub fn has_function(&self, name: &str) -> bool {
        self.btf
            .resolve_types_by_name(name)
            .is_ok_and(|kinds| kinds.iter().any(|kind| matches!(kind, Type::Func(_))))
    }

    /// Number of arguments of the function `name`.
    #[must_use]
    pub fn arguments(&self, name: &str) -> Option<usize> {
        self.btf
            .resolve_types_by_name(name)
            .ok()?
            .into_iter()
            .find_map(|kind| {
                let Type::Func(function) = kind else {
                    return None;
                };
                match self.btf.resolve_chained_type(&function).ok()? {
                    Type::FuncProto(prototype) => Some(prototype.parameters.len()),
                    _ => None,
                }
            })
    }

    /// Offset in bytes of `path` (member, member of that member, …) in `structure`.
    #[must_use]
    pub fn offset_of(&self, structure: &str, path: &[&str]) -> Option<u64> {
        self.structures(structure)
            .into_iter()
            .find_map(|found| self.walk(Type::Struct(found), path))
            .map(|found| found.offset)
    }

    /// Elements of the array member `path` of `structure`.
    #[must_use]
    pub fn array_length(&self, structure: &str, path: &[&str]) -> Option<u64> {
        self.structures(structure).into_iter().find_map(|found| {
            match self.walk(Type::Struct(found), path)?.kind {
                Type::Array(array) => Some(array.len() as u64),
                _ => None,
            }
        })
    }

    /// Value of `variant` of the enum `name`.
    #[must_use]
    pub fn enum_value(&self, name: &str, variant: &str) -> Option<u64> {
        self.btf
            .resolve_types_by_name(name)
            .ok()?
            .into_iter()
            .find_map(|kind| match kind {
                Type::Enum(found) => found
                    .members
                    .iter()
                    .find(|member| {
                        self.btf
                            .resolve_name(*member)
                            .is_ok_and(|text| text == variant)
                    })
                    .map(|member| u64::from(member.val())),
                Type::Enum64(found) => found
                    .members
                    .iter()
                    .find(|member| {
                        self.btf
                            .resolve_name(*member)
                            .is_ok_and(|text| text == variant)
                    })
                    .map(btf_rs::Enum64Member::val),
                _ => None,
            })
    }

    fn walk(&self, start: Type, path: &[&str]) -> Option<Found> {
        path.iter().try_fold(
            Found {
                offset: 0,
                kind: start,
            },
            |at, name| {
                let inner = self.member(&at.kind, name)?;
                Some(Found {
                    offset: at.offset + inner.offset,
                    kind: inner.kind,
                })
            },
        )
    }

    /// The member `name` of `kind`, also inside its anonymous structures and unions.
    fn member(&self, kind: &Type, name: &str) -> Option<Found> {
        let (Type::Struct(structure) | Type::Union(structure)) = self.strip(kind)? else {
            return None;
        };
        structure.members.iter().find_map(|member| {
            let text = self.btf.resolve_name(member).unwrap_or_default();
            let offset = u64::from(member.bit_offset() / 8);
            if text == name {
                let kind = self.btf.resolve_chained_type(member).ok()?;
                return Some(Found {
                    offset,
                    kind: self.strip(&kind)?,
                });
            }
            if text.is_empty() {
                let kind = self.btf.resolve_chained_type(member).ok()?;
                let inner = self.member(&kind, name)?;
                return Some(Found {
                    offset: offset + inner.offset,
                    kind: inner.kind,
                });
            }
            None
        })
    }

    /// `kind` without typedefs and qualifiers.
    fn strip(&self, kind: &Type) -> Option<Type> {
        let mut kind = kind.clone();
        loop {
            let next = match &kind {
                Type::Typedef(outer) => self.btf.resolve_chained_type(outer),
                Type::TypeTag(outer) => self.btf.resolve_chained_type(outer),
                Type::Volatile(outer) | Type::Const(outer) | Type::Restrict(outer) => {
                    self.btf.resolve_chained_type(outer)
                }
                _ => return Some(kind),
            };
            kind = next.ok()?;
        }
    }
}

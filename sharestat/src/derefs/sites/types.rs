//! The kernel's types, flattened for the abstract interpretation: what a load at some
//! offset of an object yields, and what functions take and return. In: a BTF blob.

use std::collections::HashMap;

use btf_rs::{Btf, BtfType, Type};

use super::roles;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

/// A BTF type id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// What a pointer-sized load yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loaded {
    /// A pointer to an object of this type.
    Pointer(TypeId),
    /// A list node inside an object: the object's type and the node's offset in it.
    Node(TypeId, i32),
    /// An entry of an `XArray`, of a type that the tree's owner knows.
    Entry,
}

struct Member {
    name: Box<str>,
    offset: i32,
    of: TypeId,
}

enum Shape {
    Pointer(TypeId),
    Record {
        name: Box<str>,
        size: i32,
        members: Vec<Member>,
    },
    Array {
        element: TypeId,
        count: i32,
    },
    Alias(TypeId),
    Scalar(i32),
    Opaque,
}

/// A parameter of a function.
pub struct Parameter {
    /// Its name in the source.
    pub name: Box<str>,
    /// Its type.
    pub of: TypeId,
}

/// What a function takes and returns.
pub struct Prototype {
    /// Parameters in order.
    pub parameters: Vec<Parameter>,
    /// What it returns.
    pub returns: TypeId,
}

/// All types of one kernel.
pub struct TypeTable {
    shapes: Vec<Shape>,
    prototypes: HashMap<String, Prototype>,
    records: HashMap<Box<str>, TypeId>,
    /// `struct folio`.
    pub folio: TypeId,
    /// `struct page`.
    pub page: TypeId,
    /// Offset of `mapping` in a folio.
    pub mapping: i32,
    /// Offset of `lru` in a folio.
    pub lru: i32,
}

/// Why a table cannot be made.
#[derive(Debug, PartialEq, Eq)]
pub enum TypesError {
    /// The blob is not BTF.
    Malformed(String),
    /// A structure or member is missing.
    Missing(&'static str),
}

fn signed(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

impl TypeTable {
    /// Reads the BTF blob `bytes`.
    ///
    /// # Errors
    /// When it is malformed or describes no kernel with folios.
    pub fn new(bytes: &[u8]) -> Result<Self, TypesError> {
        let malformed = |error: btf_rs::Error| TypesError::Malformed(error.to_string());
        let btf = Btf::from_bytes(bytes).map_err(malformed)?;
        let mut shapes = vec![Shape::Opaque];
        let mut records: HashMap<Box<str>, TypeId> = HashMap::new();
        let mut functions = Vec::new();
        let mut signatures: HashMap<u32, btf_rs::FuncProto> = HashMap::new();
        let (first, last) = btf.base().type_id_range();
        for id in first.max(1)..=last {
            let kind = btf.resolve_type_by_id(id).map_err(malformed)?;
            let shape = match kind {
                Type::Struct(record) | Type::Union(record) => {
                    let name: Box<str> = btf.resolve_name(&record).unwrap_or_default().into();
                    let members = record
                        .members
                        .iter()
                        .filter(|member| {
                            member.bit_offset() % 8 == 0
                                && member.bitfield_size().is_none_or(|bits| bits == 0)
                        })
                        .filter_map(|member| {
                            Some(Member {
                                name: btf.resolve_name(member).unwrap_or_default().into(),
                                offset: i32::try_from(member.bit_offset() / 8).ok()?,
                                of: TypeId(member.get_type_id()?),
                            })
                        })
                        .collect();
                    if !name.is_empty() {
                        records.entry(name.clone()).or_insert(TypeId(id));
                    }
                    Shape::Record {
                        name,
                        size: signed(record.size()),
                        members,
                    }
                }
                Type::Ptr(pointer) => Shape::Pointer(TypeId(pointer.get_type_id().unwrap_or(0))),
                Type::Array(array) => Shape::Array {
                    element: TypeId(array.get_type_id().unwrap_or(0)),
                    count: signed(array.len()),
                },
                Type::Typedef(alias) => alias_of(&alias),
                Type::TypeTag(alias) => alias_of(&alias),
                Type::Volatile(alias) | Type::Const(alias) | Type::Restrict(alias) => {
                    alias_of(&alias)
                }
                Type::Int(int) => Shape::Scalar(signed(int.size())),
                Type::Enum(values) => Shape::Scalar(signed(values.size())),
                Type::Enum64(values) => Shape::Scalar(signed(values.size())),
                Type::FuncProto(signature) => {
                    signatures.insert(id, signature);
                    Shape::Opaque
                }
                Type::Func(function) => {
                    functions.push(function);
                    Shape::Opaque
                }
                _ => Shape::Opaque,
            };
            shapes.push(shape);
        }
        let prototypes = prototypes_of(&btf, &functions, &signatures);
        let find = |name| records.get(name).copied();
        let mut table = Self {
            folio: find("folio").ok_or(TypesError::Missing("struct folio"))?,
            page: find("page").ok_or(TypesError::Missing("struct page"))?,
            shapes,
            prototypes,
            records,
            mapping: 0,
            lru: 0,
        };
        table.mapping = table
            .offset_of(table.folio, "mapping")
            .ok_or(TypesError::Missing("member 'mapping' of 'struct folio'"))?;
        table.lru = table
            .offset_of(table.folio, "lru")
            .ok_or(TypesError::Missing("member 'lru' of 'struct folio'"))?;
        Ok(table)
    }

    fn shape(&self, id: TypeId) -> &Shape {
        usize::try_from(id.0)
            .ok()
            .and_then(|at| self.shapes.get(at))
            .unwrap_or(&Shape::Opaque)
    }

    /// `id` without typedefs and qualifiers.
    #[must_use]
    pub fn strip(&self, mut id: TypeId) -> TypeId {
        // Chains are short; the bound only guards against a malformed cycle.
        for _ in 0..32 {
            match self.shape(id) {
                Shape::Alias(inner) => id = *inner,
                _ => return id,
            }
        }
        TypeId(0)
    }

    /// What the pointer type `id` points to; `None` when it is no pointer.
    #[must_use]
    pub fn pointee(&self, id: TypeId) -> Option<TypeId> {
        match self.shape(self.strip(id)) {
            Shape::Pointer(to) => Some(self.strip(*to)),
            _ => None,
        }
    }

    /// Whether objects of type `id` can be looked into: structures, arrays, pointers.
    #[must_use]
    pub fn is_object(&self, id: TypeId) -> bool {
        matches!(
            self.shape(self.strip(id)),
            Shape::Record { .. } | Shape::Array { .. } | Shape::Pointer(_)
        )
    }

    /// Whether `id` is an integer that may hold an address (`void *` is `TypeId(0)`).
    #[must_use]
    pub fn is_word(&self, id: TypeId) -> bool {
        matches!(self.shape(self.strip(id)), Shape::Scalar(8))
    }

    /// Name of the structure `id`.
    #[must_use]
    pub fn name(&self, id: TypeId) -> Option<&str> {
        match self.shape(self.strip(id)) {
            Shape::Record { name, .. } if !name.is_empty() => Some(name),
            _ => None,
        }
    }

    /// The structure called `name`.
    #[must_use]
    pub fn record(&self, name: &str) -> Option<TypeId> {
        self.records.get(name).copied()
    }

    /// The function called `name`.
    #[must_use]
    pub fn prototype(&self, name: &str) -> Option<&Prototype> {
        self.prototypes.get(name)
    }

    /// Number of functions that BTF describes.
    #[must_use]
    pub fn functions(&self) -> usize {
        self.prototypes.len()
    }

    /// Size in bytes, 0 when unknown.
    #[must_use]
    pub fn size(&self, id: TypeId) -> i32 {
        match self.shape(self.strip(id)) {
            Shape::Pointer(_) => 8,
            Shape::Record { size, .. } | Shape::Scalar(size) => *size,
            Shape::Array { element, count } => {
                // Arrays of arrays of structures: bounded by the structure's own size.
                self.size(*element).saturating_mul(*count)
            }
            Shape::Alias(_) | Shape::Opaque => 0,
        }
    }

    /// Offset of the direct member `name`, or of one in an anonymous member.
    #[must_use]
    pub fn offset_of(&self, record: TypeId, name: &str) -> Option<i32> {
        let Shape::Record { members, .. } = self.shape(self.strip(record)) else {
            return None;
        };
        members.iter().find_map(|member| {
            if &*member.name == name {
                return Some(member.offset);
            }
            if !member.name.is_empty() {
                return None;
            }
            Some(member.offset + self.offset_of(member.of, name)?)
        })
    }

    /// What a load of eight bytes at `offset` of an object of type `id` can yield;
    /// unions can yield several things.
    #[must_use]
    pub fn loads(&self, id: TypeId, offset: i32) -> Vec<Loaded> {
        if !self.is_object(id) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let start = Walk {
            record: self.name(id).unwrap_or_default(),
            member: "",
        };
        self.walk(self.strip(id), offset, &start, 0, &mut found);
        found.dedup();
        found
    }

    fn walk(&self, id: TypeId, offset: i32, at: &Walk<'_>, depth: u32, found: &mut Vec<Loaded>) {
        if depth > 12 || offset < 0 {
            return;
        }
        let id = self.strip(id);
        match self.shape(id) {
            // A pointer that is not inside anything is the first of an array of them.
            Shape::Pointer(to) if offset == 0 || (depth == 0 && offset % 8 == 0) => {
                if let Some((element, node)) = roles::element_of_list(self, at.record, at.member) {
                    found.push(Loaded::Node(element, node));
                } else if roles::holds_entries(at.record, at.member) {
                    found.push(Loaded::Entry);
                } else {
                    let to = self.strip(*to);
                    if self.is_object(to) {
                        found.push(Loaded::Pointer(to));
                    }
                }
            }
            Shape::Array { element, count } => {
                let stride = self.size(*element);
                if stride > 0 && (*count == 0 || offset < stride.saturating_mul(*count)) {
                    self.walk(*element, offset % stride, at, depth + 1, found);
                }
            }
            Shape::Record { name, members, .. } => {
                for member in members {
                    let inside = offset - member.offset;
                    let size = self.size(member.of);
                    if inside < 0 || (inside >= size && size != 0) {
                        continue;
                    }
                    // List nodes and heads are named by the structure they are in.
                    let walk = if name.is_empty() || &**name == "list_head" {
                        Walk {
                            member: if at.member.is_empty() {
                                &member.name
                            } else {
                                at.member
                            },
                            ..*at
                        }
                    } else {
                        Walk {
                            record: name,
                            member: &member.name,
                        }
                    };
                    self.walk(member.of, inside, &walk, depth + 1, found);
                }
            }
            Shape::Pointer(_) | Shape::Alias(_) | Shape::Scalar(_) | Shape::Opaque => {}
        }
    }
}

/// Where a walk through members is: the innermost named structure and its member.
#[derive(Clone, Copy)]
struct Walk<'a> {
    record: &'a str,
    member: &'a str,
}

/// What the functions take and return, by name.
fn prototypes_of(
    btf: &Btf,
    functions: &[btf_rs::Func],
    signatures: &HashMap<u32, btf_rs::FuncProto>,
) -> HashMap<String, Prototype> {
    let mut prototypes = HashMap::new();
    for function in functions {
        let name = btf.resolve_name(function).unwrap_or_default();
        let Some(signature) = function.get_type_id().and_then(|id| signatures.get(&id)) else {
            continue;
        };
        let parameters = signature
            .parameters
            .iter()
            .filter(|parameter| !parameter.is_variadic())
            .map(|parameter| Parameter {
                name: btf.resolve_name(parameter).unwrap_or_default().into(),
                of: TypeId(parameter.get_type_id().unwrap_or(0)),
            })
            .collect();
        let returns = TypeId(signature.return_type_id());
        prototypes.insert(
            name,
            Prototype {
                parameters,
                returns,
            },
        );
    }
    prototypes
}

fn alias_of(alias: &dyn BtfType) -> Shape {
    Shape::Alias(TypeId(alias.get_type_id().unwrap_or(0)))
}

//! The types of one BTF blob, indexed by name in one pass and otherwise left as they lie:
//! a start needs some sixty of more than a hundred thousand. Every read is checked.
//! The format is that of Documentation/bpf/btf.rst, in this machine's byte order.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    sync::Arc,
};

const MAGIC: u16 = 0xeb9f;

/// Why a blob cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It is not BTF, or is damaged.
    #[error("it is no usable BTF: {0}")]
    Malformed(&'static str),
}

// Kinds of types that matter here; the others are skipped by size.
const INT: u32 = 1;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const DECL_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;
const LAST: u32 = 19;

/// A type, as far as layouts need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A structure or union.
    Composite { size: u64 },
    /// An array.
    Array { length: u64 },
    /// An enumeration of 32 or 64 bit values.
    Enumeration,
    /// A function, with the type of its prototype.
    Function { prototype: u32 },
    /// A function's prototype.
    Prototype { arguments: usize },
    /// Another name, or a qualifier, for this type.
    Alias { of: u32 },
    /// Anything else.
    Other,
}

/// A member of a structure or union; the offset is in bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) name: &'a [u8],
    pub(super) kind: u32,
    pub(super) bits: u32,
}

/// The common head of a type.
#[derive(Clone, Copy)]
struct Head {
    name: u32,
    kind: u32,
    /// Number of members, values or arguments.
    count: u32,
    /// Member offsets carry a bit-field size in their upper byte.
    bit_fields: bool,
    /// Size in bytes, or a type, by kind.
    size_or_type: u32,
    /// Where the part that depends on the kind starts in the blob.
    body: usize,
}

/// One blob, perhaps on top of another.
pub(super) struct Section {
    bytes: Vec<u8>,
    /// Where each type starts in `bytes`.
    types: Vec<u32>,
    /// Identifier of the first of them.
    first_type: u32,
    /// Where the strings are in `bytes`.
    strings: std::ops::Range<usize>,
    /// Offset by which types name the first of them.
    first_string: u32,
    /// Hashed names of structures, unions, enumerations and functions, sorted.
    names: Vec<(u64, u32)>,
    base: Option<Arc<Self>>,
}

impl Section {
    /// The whole blob.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Indexes `bytes`; those of a module need the kernel's as `base`.
    pub(super) fn new(bytes: Vec<u8>, base: Option<Arc<Self>>) -> Result<Self, BtfError> {
        let cut = BtfError::Malformed("its header is cut off");
        let magic = bytes.first_chunk().map(|magic| u16::from_ne_bytes(*magic));
        if magic != Some(MAGIC) {
            return Err(BtfError::Malformed(
                "it does not start with the magic number in this machine's byte order",
            ));
        }
        let field = |at| word(&bytes, at).map(|word| word as usize);
        let (Some(header), Some(types), Some(types_length), Some(strings), Some(strings_length)) =
            (field(4), field(8), field(12), field(16), field(20))
        else {
            return Err(cut);
        };
        let within = |start: usize, length: usize| {
            let start = header.checked_add(start)?;
            let end = start.checked_add(length)?;
            (end <= bytes.len()).then_some(start..end)
        };
        let (Some(types), Some(strings)) =
            (within(types, types_length), within(strings, strings_length))
        else {
            return Err(BtfError::Malformed("its sections reach beyond its end"));
        };
        let (first_type, first_string) = base.as_ref().map_or((1, 0), |base| {
            (
                base.first_type + u32::try_from(base.types.len()).unwrap_or(0),
                base.first_string + u32::try_from(base.strings.len()).unwrap_or(0),
            )
        });
        let mut section = Self {
            bytes,
            types: Vec::new(),
            first_type,
            strings,
            first_string,
            names: Vec::new(),
            base,
        };
        section.index(types)?;
        Ok(section)
    }

    fn index(&mut self, range: std::ops::Range<usize>) -> Result<(), BtfError> {
        let mut at = range.start;
        while at < range.end {
            let head = self
                .head_at(at)
                .filter(|head| head.kind <= LAST)
                .ok_or(BtfError::Malformed("it has a type of an unknown kind"))?;
            let id = self.first_type + u32::try_from(self.types.len()).unwrap_or(u32::MAX);
            self.types.push(u32::try_from(at).unwrap_or(u32::MAX));
            if head.name != 0 && matches!(head.kind, STRUCT | UNION | ENUM | ENUM64 | FUNC) {
                let name = self.string(head.name).unwrap_or_default();
                self.names.push((hashed(name), id));
            }
            let count = head.count as usize;
            at = head.body
                + match head.kind {
                    INT | VAR | DECL_TAG => 4,
                    ARRAY => 12,
                    STRUCT | UNION | DATASEC | ENUM64 => count * 12,
                    ENUM | FUNC_PROTO => count * 8,
                    _ => 0,
                };
        }
        if at != range.end {
            return Err(BtfError::Malformed("its last type is cut off"));
        }
        self.names.sort_unstable();
        Ok(())
    }

    fn head_at(&self, at: usize) -> Option<Head> {
        let info = word(&self.bytes, at + 4)?;
        Some(Head {
            name: word(&self.bytes, at)?,
            kind: (info >> 24) & 0x1f,
            count: info & 0xffff,
            bit_fields: info >> 31 == 1,
            size_or_type: word(&self.bytes, at + 8)?,
            body: at + 12,
        })
    }

    /// The section that holds type `id`, and its head.
    fn head(&self, id: u32) -> Option<(&Self, Head)> {
        let Some(number) = id.checked_sub(self.first_type) else {
            return self.base.as_ref()?.head(id);
        };
        let at = *self.types.get(number as usize)?;
        Some((self, self.head_at(at as usize)?))
    }

    fn string(&self, offset: u32) -> Option<&[u8]> {
        let Some(offset) = offset.checked_sub(self.first_string) else {
            return self.base.as_ref()?.string(offset);
        };
        let strings = self.bytes.get(self.strings.clone())?;
        let from = strings.get(offset as usize..)?;
        from.split(|byte| *byte == 0).next()
    }

    /// Structures, unions, enumerations and functions called `name`: those of the base,
    /// then those of this section, in order.
    pub(super) fn named(&self, name: &str) -> Vec<u32> {
        let mut found = self
            .base
            .as_ref()
            .map(|base| base.named(name))
            .unwrap_or_default();
        let wanted = hashed(name.as_bytes());
        let from = self.names.partition_point(|(hash, _)| *hash < wanted);
        found.extend(
            self.names
                .iter()
                .skip(from)
                .take_while(|(hash, _)| *hash == wanted)
                .filter(|(_, id)| {
                    self.head(*id)
                        .and_then(|(_, head)| self.string(head.name))
                        .is_some_and(|text| text == name.as_bytes())
                })
                .map(|(_, id)| *id),
        );
        found
    }

    /// What type `id` is; `None` when there is no such type. 0 is `void`.
    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        if id == 0 {
            return Some(Kind::Other);
        }
        let (section, head) = self.head(id)?;
        Some(match head.kind {
            STRUCT | UNION => Kind::Composite {
                size: u64::from(head.size_or_type),
            },
            ARRAY => Kind::Array {
                length: u64::from(word(&section.bytes, head.body + 8)?),
            },
            ENUM | ENUM64 => Kind::Enumeration,
            FUNC => Kind::Function {
                prototype: head.size_or_type,
            },
            FUNC_PROTO => Kind::Prototype {
                arguments: head.count as usize,
            },
            TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => Kind::Alias {
                of: head.size_or_type,
            },
            _ => Kind::Other,
        })
    }

    /// Members of the structure or union `id`, in order.
    pub(super) fn members(&self, id: u32) -> impl Iterator<Item = Member<'_>> {
        self.head(id)
            .filter(|(_, head)| matches!(head.kind, STRUCT | UNION))
            .into_iter()
            .flat_map(|(section, head)| {
                (0..head.count as usize).map_while(move |number| {
                    let at = head.body + number * 12;
                    let offset = word(&section.bytes, at + 8)?;
                    Some(Member {
                        name: section.string(word(&section.bytes, at)?)?,
                        kind: word(&section.bytes, at + 4)?,
                        bits: if head.bit_fields {
                            offset & 0x00ff_ffff
                        } else {
                            offset
                        },
                    })
                })
            })
    }

    /// The value called `variant` of the enumeration `id`.
    pub(super) fn value(&self, id: u32, variant: &str) -> Option<u64> {
        let (section, head) = self.head(id)?;
        let size = match head.kind {
            ENUM => 8,
            ENUM64 => 12,
            _ => return None,
        };
        (0..head.count as usize).find_map(|number| {
            let at = head.body + number * size;
            let name = section.string(word(&section.bytes, at)?)?;
            if name != variant.as_bytes() {
                return None;
            }
            let low = u64::from(word(&section.bytes, at + 4)?);
            let high = if size == 12 {
                u64::from(word(&section.bytes, at + 8)?)
            } else {
                0
            };
            Some(high << 32 | low)
        })
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn hashed(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

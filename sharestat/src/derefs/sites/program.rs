//! The kernel's functions: where each starts and ends, what it is called, what BTF says
//! of it. In: an image and its types. Out: what the analysis of one function looks up.

use std::collections::HashMap;

use super::{
    image::KernelImage,
    roles,
    types::{Prototype, TypeId, TypeTable},
    value::Value,
};

/// A function, or the cold part of one.
pub struct Function {
    /// Address of its first instruction.
    pub address: u64,
    /// Address behind its last byte.
    pub end: u64,
    /// Its symbol.
    pub name: String,
}

impl Function {
    /// The name in the source: without `.isra.0`, `.constprop.0`, `.cold` and the like.
    #[must_use]
    pub fn source_name(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }

    /// Whether a jump here returns: `__x86_return_thunk`, its aliases and variants.
    #[must_use]
    pub fn is_return_thunk(&self) -> bool {
        self.name.ends_with("return_thunk")
    }

    /// Whether this is the part of a function that the compiler moved out of the way.
    #[must_use]
    pub fn is_cold(&self) -> bool {
        self.name.contains(".cold")
    }
}

/// What earlier rounds learnt about a function from its callers and its own code.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Summaries {
    /// Arguments as passed by direct calls, by address of the callee.
    pub arguments: HashMap<u64, [Value; 6]>,
    /// What it returns where its prototype does not say, by address.
    pub returned: HashMap<u64, Value>,
}

/// The kernel as a whole.
pub struct Program<'a> {
    /// The image.
    pub image: &'a KernelImage,
    /// Its types.
    pub types: &'a TypeTable,
    /// All functions by address, cold parts among them.
    pub functions: Vec<Function>,
    by_address: HashMap<u64, usize>,
    labels: HashMap<u64, u64>,
    /// Address of `vmemmap_base`, which holds the address of the first `struct page`.
    pub vmemmap_base: Option<u64>,
    /// `struct address_space` and the offset of its tree of folios.
    pub tree: Option<(TypeId, i32)>,
    /// `struct list_head`, `struct xa_state`, `struct folio_batch`, `struct pagevec`.
    pub list_head: Option<TypeId>,
    /// The cursor of an `XArray` walk.
    pub xa_state: Option<TypeId>,
    batches: [Option<TypeId>; 2],
}

/// Symbols that are no functions, or whose code is not what runs.
fn is_not_analysed(name: &str) -> bool {
    name.starts_with("__pfx_")
        || name.starts_with("__cfi_")
        || name.starts_with("__ksymtab")
        // Rust code reaches folios only through C functions.
        || name.starts_with("_R")
}

impl<'a> Program<'a> {
    /// Indexes the functions of `image`.
    #[must_use]
    pub fn new(image: &'a KernelImage, types: &'a TypeTable) -> Self {
        /// No function of the kernel is longer; what seems to be is a gap without symbols.
        const LONGEST: u64 = 256 << 10;
        let mut functions: Vec<Function> = Vec::new();
        let symbols: Vec<_> = image
            .symbols()
            .iter()
            .filter(|symbol| image.is_code(symbol.address))
            .collect();
        for group in symbols.chunk_by(|a, b| a.address == b.address) {
            let Some(first) = group.first() else { continue };
            if let Some(previous) = functions.last_mut() {
                previous.end = previous.end.min(first.address);
            }
            // Of several names take the one that BTF knows.
            let symbol = group
                .iter()
                .find(|symbol| types.prototype(&symbol.name).is_some())
                .unwrap_or(first);
            functions.push(Function {
                address: first.address,
                // The next symbol may be of another section, far behind this one's end: on
                // 6.1 the last function of the text is the return thunk.
                end: image.end_of_section(first.address),
                name: symbol.name.clone(),
            });
        }
        functions.retain(|function| {
            !is_not_analysed(&function.name)
                && (1..=LONGEST).contains(&function.end.saturating_sub(function.address))
        });
        let by_address = functions
            .iter()
            .enumerate()
            .map(|(at, function)| (function.address, at))
            .collect();
        let space = types.record("address_space");
        Self {
            functions,
            by_address,
            labels: image.jump_labels().into_iter().collect(),
            vmemmap_base: image.address_of("vmemmap_base"),
            tree: space.and_then(|space| Some((space, types.offset_of(space, "i_pages")?))),
            list_head: types.record("list_head"),
            xa_state: types.record("xa_state"),
            batches: [types.record("folio_batch"), types.record("pagevec")],
            image,
            types,
        }
    }

    /// The function that starts at `address`.
    #[must_use]
    pub fn function_at(&self, address: u64) -> Option<&Function> {
        self.by_address
            .get(&address)
            .and_then(|at| self.functions.get(*at))
    }

    /// The function that `address` is in.
    #[must_use]
    pub fn function_around(&self, address: u64) -> Option<&Function> {
        let after = self
            .functions
            .partition_point(|function| function.address <= address);
        self.functions
            .get(after.checked_sub(1)?)
            .filter(|function| address < function.end)
    }

    /// Number of patched branches.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.labels.len()
    }

    /// Where the patched branch at `address` may go.
    #[must_use]
    pub fn label(&self, address: u64) -> Option<u64> {
        self.labels.get(&address).copied()
    }

    /// The prototype that tells which register holds which argument; a function the
    /// compiler specialised (`.isra`, `.constprop`, `.part`) has none.
    #[must_use]
    pub fn prototype(&self, function: &Function) -> Option<&Prototype> {
        self.types.prototype(&function.name)
    }

    /// Whether `id` is `struct folio` or `struct page`.
    #[must_use]
    pub fn is_folio(&self, id: TypeId) -> bool {
        id == self.types.folio || id == self.types.page
    }

    /// Whether a pointer to `id` is found in the same variable as folios: heads of lists
    /// of folios, nodes of trees of folios.
    #[must_use]
    pub fn meets_folios(&self, id: TypeId) -> bool {
        matches!(
            self.types.name(id),
            Some("list_head" | "xa_node" | "xarray")
        )
    }

    /// Whether a value passed as a pointer to `id` is worth knowing: it is a folio, or
    /// something folios are taken from.
    #[must_use]
    pub fn leads_to_folios(&self, id: TypeId) -> bool {
        self.is_folio(id)
            || self.batches.contains(&Some(id))
            || self.types.pointee(id).is_some_and(|to| self.is_folio(to))
    }

    /// Whether the `XArray`s that `function` walks are page cache trees.
    #[must_use]
    pub fn walks_page_cache(&self, function: &Function) -> bool {
        let name = function.source_name();
        roles::walks_page_cache(name)
            || self.types.prototype(name).is_some_and(|prototype| {
                prototype.parameters.iter().any(|parameter| {
                    self.types
                        .pointee(parameter.of)
                        .and_then(|to| self.types.name(to))
                        .is_some_and(roles::belongs_to_page_cache)
                })
            })
    }

    /// Which argument register each parameter of `prototype` is in; structures passed
    /// by value take one or two registers, or the stack.
    #[must_use]
    pub fn argument_registers(&self, prototype: &Prototype) -> Vec<Option<usize>> {
        let mut next = 0;
        prototype
            .parameters
            .iter()
            .map(|parameter| {
                let by_value = self.types.name(parameter.of).is_some();
                let words = match self.types.size(parameter.of) {
                    9..=16 => 2,
                    17.. if by_value => 0,
                    _ => 1,
                };
                let register = super::state::ARGUMENTS.get(next).copied();
                next += words;
                if words == 1 { register } else { None }
            })
            .collect()
    }
}

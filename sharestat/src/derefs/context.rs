//! Whether code that reads `folio->mapping` has the file, or a way to it, at hand. In:
//! the functions of a kernel stack, innermost first, and their BTF prototypes. Out: a
//! context class. No list of sites: the rules are about types of arguments.

use serde::{Deserialize, Serialize};

use super::sites::{TypeTable, is_folio_list};

/// Where the file can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The function itself has a file, kiocb, vma, vmf, mapping, inode or readahead control.
    Direct,
    /// A function up the stack has one.
    Caller,
    /// A walk over all mappings of the folio: it needs every owner.
    Rmap,
    /// Compared with a mapping that is at hand: a truncation check.
    Identity,
    /// Nobody has one: the folio came from a list, a batch or a page frame number.
    None,
    /// The stack could not be walked.
    Unknown,
}

impl Class {
    /// All classes, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Direct,
        Self::Caller,
        Self::Rmap,
        Self::Identity,
        Self::None,
        Self::Unknown,
    ];

    /// Name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Caller => "caller",
            Self::Rmap => "rmap",
            Self::Identity => "identity",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the file is known without looking at `folio->mapping`.
    #[must_use]
    pub const fn has_file(self) -> bool {
        matches!(self, Self::Direct | Self::Caller | Self::Identity)
    }
}

/// A class and what it was told from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Context {
    /// The class.
    pub class: Class,
    /// Frames up from the access to the function that decides.
    pub frames_up: usize,
    /// That function.
    pub function: Option<String>,
    /// The type of its argument that decides.
    pub argument: Option<String>,
}

/// Functions whose mapping argument was read from the folio itself, and where: such an
/// argument is no file at hand. BTF cannot tell; printed with every report.
pub const DERIVED: &[(&str, &str)] = &[
    (
        "filemap_unaccount_folio",
        "'__filemap_remove_folio' reads its mapping from the folio",
    ),
    (
        "filemap_dirty_folio",
        "'folio_mark_dirty' reads its mapping from the folio",
    ),
    (
        "block_dirty_folio",
        "'folio_mark_dirty' reads its mapping from the folio",
    ),
    (
        "iomap_dirty_folio",
        "'folio_mark_dirty' reads its mapping from the folio",
    ),
    (
        "noop_dirty_folio",
        "'folio_mark_dirty' reads its mapping from the folio",
    ),
    (
        "ext4_dirty_folio",
        "'folio_mark_dirty' reads its mapping from the folio",
    ),
    (
        "ext4_journalled_dirty_folio",
        "'folio_mark_dirty' reads its mapping from the folio",
    ),
    (
        "__folio_mark_dirty",
        "'folio_mark_dirty' reads its mapping from the folio",
    ),
    (
        "folio_account_dirtied",
        "'folio_mark_dirty' reads its mapping from the folio",
    ),
];

/// Arguments that name a file, whoever calls.
const FILES: &[&str] = &[
    "file",
    "kiocb",
    "vm_area_struct",
    "vm_fault",
    "readahead_control",
];

/// Arguments that may have been read from the folio before, where folios come from lists.
const MAPPINGS: &[&str] = &["address_space", "inode"];

/// Control blocks of code that takes folios from the LRU or by page frame number.
const SCANS: &[&str] = &["scan_control", "compact_control"];

/// Batches of folios of any files.
const BATCHES: &[&str] = &["folio_batch", "pagevec"];

/// What the prototype of a function says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Role {
    /// It has a file, a vma or the like.
    File(String),
    /// It has a mapping or inode.
    Mapping(String),
    /// It walks the mappings of a folio.
    Rmap,
    /// Its folios come without their files.
    Folios(String),
    /// What called it works on something else, because.
    Fence(&'static str),
    /// Nothing.
    Silent,
}

fn role(types: &TypeTable, function: &str) -> Role {
    // An exception or interrupt: what it interrupted works on something else.
    if function.starts_with("asm_") {
        return Role::Fence("an exception or interrupt");
    }
    let Some(prototype) = types.prototype(function) else {
        return Role::Silent;
    };
    let mut found = Role::Silent;
    let mut has_list = false;
    let mut fills_array = false;
    for parameter in &prototype.parameters {
        let array = types.pointee(parameter.of).and_then(|to| types.pointee(to));
        fills_array |= array.is_some_and(|to| to == types.page || to == types.folio);
        let Some(name) = types.pointee(parameter.of).and_then(|to| types.name(to)) else {
            continue;
        };
        if FILES.contains(&name) {
            return Role::File(name.to_owned());
        }
        if name == "rmap_walk_control" {
            return Role::Rmap;
        }
        if SCANS.contains(&name) {
            return Role::Folios(name.to_owned());
        }
        has_list |= BATCHES.contains(&name)
            || (name == "list_head" && is_folio_list(function, &parameter.name));
        if MAPPINGS.contains(&name) && found == Role::Silent {
            found = Role::Mapping(name.to_owned());
        }
        // Shrinkers are called for memory; their objects come from their own lists.
        if name == "shrink_control" && found == Role::Silent {
            found = Role::Fence("shrink_control");
        }
    }
    // Pages are looked up by address, for a caller that does I/O on another file with them.
    if fills_array && found == Role::Silent {
        return Role::Fence("an array of pages");
    }
    if has_list && found == Role::Silent {
        return Role::Folios("a list of folios".to_owned());
    }
    found
}

/// The class of an access by the innermost of `functions`; `compared` when the value is
/// only compared.
#[must_use]
pub fn classify(types: &TypeTable, functions: &[&str], compared: bool) -> Context {
    let found = |class: Class, at: usize, argument: Option<String>| Context {
        class,
        frames_up: at,
        function: functions.get(at).map(|function| (*function).to_owned()),
        argument,
    };
    if functions.is_empty() {
        return found(Class::Unknown, 0, None);
    }
    let roles: Vec<Role> = functions
        .iter()
        .map(|function| match role(types, function) {
            Role::Mapping(_) if DERIVED.iter().any(|(name, _)| name == function) => Role::Silent,
            role => role,
        })
        .collect();
    let end = roles
        .iter()
        .position(|role| matches!(role, Role::Folios(_) | Role::Fence(_)));
    let inside = roles
        .get(..end.map_or(roles.len(), |at| at + 1))
        .unwrap_or(&roles);
    let scanned = end.filter(|at| matches!(roles.get(*at), Some(Role::Folios(_))));
    for (at, role) in inside.iter().enumerate() {
        match role {
            Role::Rmap => return found(Class::Rmap, at, None),
            // The vma of a reverse mapping walk was found through the folio.
            Role::File(_)
                if inside
                    .get(at..)
                    .is_some_and(|rest| rest.contains(&Role::Rmap))
                    && at > 0 =>
            {
                return found(Class::Rmap, at, None);
            }
            Role::File(argument) if scanned.is_none() || at == 0 => {
                return with_file(&found, at, argument, compared);
            }
            // Where folios come without files, their mappings were read from them.
            Role::Mapping(argument) if scanned.is_none() => {
                return with_file(&found, at, argument, compared);
            }
            Role::File(_) | Role::Mapping(_) | Role::Folios(_) | Role::Fence(_) | Role::Silent => {}
        }
    }
    match end.and_then(|at| Some((at, roles.get(at)?))) {
        Some((at, Role::Folios(argument))) => found(Class::None, at, Some(argument.clone())),
        Some((at, Role::Fence(why))) => found(Class::None, at, Some((*why).to_owned())),
        _ => found(Class::None, inside.len() - 1, None),
    }
}

fn with_file(
    found: &dyn Fn(Class, usize, Option<String>) -> Context,
    at: usize,
    argument: &str,
    compared: bool,
) -> Context {
    let class = match (compared, at) {
        (true, _) => Class::Identity,
        (false, 0) => Class::Direct,
        (false, _) => Class::Caller,
    };
    found(class, at, Some(argument.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(functions: &[&str], compared: bool) -> (Class, usize) {
        let context = classify(&TypeTable::sample(), functions, compared);
        (context.class, context.frames_up)
    }

    #[test]
    fn the_nearest_argument_decides() {
        assert_eq!(
            class(&["takes_mapping", "takes_word"], false),
            (Class::Direct, 0)
        );
        assert_eq!(
            class(&["takes_folio", "takes_mapping"], false),
            (Class::Caller, 1)
        );
        assert_eq!(
            class(&["takes_folio", "takes_mapping"], true),
            (Class::Identity, 1)
        );
        assert_eq!(class(&["takes_folio", "takes_word"], false).0, Class::None);
        assert_eq!(class(&[], false).0, Class::Unknown);
    }

    #[test]
    fn beyond_a_list_of_folios_or_an_interrupt_nothing_counts() {
        // The mapping inside was read from a folio of the list; that outside is another's.
        assert_eq!(
            class(&["takes_mapping", "takes_list"], false),
            (Class::None, 1)
        );
        assert_eq!(
            class(&["takes_folio", "takes_list", "takes_mapping"], false).0,
            Class::None
        );
        assert_eq!(
            class(
                &[
                    "takes_folio",
                    "asm_sysvec_apic_timer_interrupt",
                    "takes_mapping"
                ],
                false
            )
            .0,
            Class::None
        );
    }

    #[test]
    fn who_looks_pages_up_by_address_has_not_their_file() {
        let stack = ["takes_folio", "fills_page", "takes_mapping"];
        assert_eq!(class(&stack, false), (Class::None, 1));
    }

    #[test]
    fn a_compared_value_without_a_file_is_no_identity_test() {
        assert_eq!(class(&["takes_folio"], true).0, Class::None);
    }
}

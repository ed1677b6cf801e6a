//! Loads from the types of a small kernel.

use super::*;

#[test]
fn lists_trees_and_arrays_yield_what_they_hold() {
    let types = TypeTable::sample();
    assert_eq!(types.loads(types.folio, 8), [Loaded::Node(types.folio, 8)]);
    assert_eq!(types.loads(types.folio, 24), [Loaded::Pointer(TypeId(4))]);
    assert_eq!(types.loads(TypeId(17), 16), [Loaded::Pointer(types.folio)]);
    assert_eq!(types.loads(TypeId(12), 8), [Loaded::Entry]);
    // A flags word is no pointer, and nothing lies behind the end.
    assert_eq!(types.loads(types.folio, 0), []);
    assert_eq!(types.loads(types.folio, 4096), []);
    // An array of pointers has no known end.
    assert_eq!(types.loads(TypeId(11), 32), [Loaded::Pointer(types.page)]);
}

#[test]
fn bytes_that_are_no_btf_are_refused() {
    assert!(matches!(
        TypeTable::new(b"no btf at all"),
        Err(TypesError::Malformed(_))
    ));
    assert!(TypeTable::new(&[]).is_err());
}

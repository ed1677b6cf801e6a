//! The running kernel's BTF, looked up here and by btf-rs; damaged BTF; cycles.

use btf_rs::{Btf, Type};

use super::*;

/// The blob of the running kernel, when it has one.
fn vmlinux() -> Option<Vec<u8>> {
    let bytes = fs::read(VMLINUX).ok();
    if bytes.is_none() {
        println!("skipped: this kernel has no BTF");
    }
    bytes
}

#[test]
fn every_structure_that_btf_rs_finds_has_the_same_size_and_members_here() {
    let Some(bytes) = vmlinux() else { return };
    let oracle = Btf::from_bytes(&bytes).expect("btf-rs reads it");
    let types = KernelTypes::from_bytes(&bytes).expect("it is BTF");
    let mut compared = 0;
    for name in [
        "folio",
        "page",
        "address_space",
        "inode",
        "super_block",
        "dentry",
        "task_struct",
        "xa_node",
        "file",
        "mem_cgroup",
    ] {
        let Some(Type::Struct(expected)) = oracle
            .resolve_types_by_name(name)
            .expect("it is there")
            .into_iter()
            .find(|kind| matches!(kind, Type::Struct(found) if !found.members.is_empty()))
        else {
            panic!("btf-rs has no structure '{name}'");
        };
        assert_eq!(types.size_of(name), Some(expected.size() as u64), "{name}");
        for member in &expected.members {
            let text = oracle.resolve_name(member).expect("a name");
            if text.is_empty() {
                continue;
            }
            assert_eq!(
                types.offset_of(name, &[&text]),
                Some(u64::from(member.bit_offset() / 8)),
                "{name}.{text}"
            );
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared} members compared");
}

#[test]
fn enums_and_functions_are_those_of_btf_rs() {
    let Some(bytes) = vmlinux() else { return };
    let oracle = Btf::from_bytes(&bytes).expect("btf-rs reads it");
    let types = KernelTypes::from_bytes(&bytes).expect("it is BTF");
    let flags = oracle
        .resolve_types_by_name("pageflags")
        .expect("it is there")
        .into_iter()
        .find_map(|kind| match kind {
            Type::Enum(flags) => Some(flags),
            _ => None,
        })
        .expect("an enum of page flags");
    for flag in &flags.members {
        let name = oracle.resolve_name(flag).expect("a name");
        let value = types.enum_value("pageflags", &name);
        assert_eq!(value, Some(u64::from(flag.val())), "{name}");
    }
    assert_eq!(types.arguments("filemap_add_folio"), Some(4));
    assert!(types.has_function("filemap_add_folio"));
    assert!(!types.has_function("folio"));
    assert_eq!(types.arguments("no_such_function"), None);
}

/// A blob of these types (in words) and strings.
fn blob(types: &[u32], strings: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).expect("small");
    let types_length = length(types.len() * 4);
    let header = [24, 0, types_length, types_length, length(strings.len())];
    let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
    bytes.extend([1, 0]);
    for word in header.iter().chain(types) {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(strings);
    bytes
}

#[test]
fn types_that_contain_themselves_end() {
    // struct a { struct a; } with an anonymous member of its own type, then a typedef of
    // itself as member 't' of struct b.
    let types = [
        [1, 4 << 24 | 1, 8].as_slice(),
        &[0, 1, 0],
        &[3, 4 << 24 | 1, 8],
        &[5, 3, 0],
        &[5, 8 << 24, 3],
    ]
    .concat();
    let types = KernelTypes::from_bytes(&blob(&types, b"\0a\0b\0t\0")).expect("it is BTF");
    assert_eq!(types.size_of("a"), Some(8));
    assert_eq!(types.offset_of("a", &["x"]), None);
    assert_eq!(types.offset_of("b", &["t"]), None);
}

#[test]
fn damaged_blobs_are_refused_or_answer_nothing() {
    let whole = blob(&[1, 4 << 24 | 1, 8, 3, 1, 0], b"\0a\0b\0");
    for length in 0..whole.len() {
        assert!(
            KernelTypes::from_bytes(&whole[..length]).is_err(),
            "{length}"
        );
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            if let Ok(types) = KernelTypes::from_bytes(&damaged) {
                let _ = types.offset_of("a", &["b"]);
                let _ = types.enum_value("a", "b");
                let _ = types.arguments("a");
            }
        }
    }
}

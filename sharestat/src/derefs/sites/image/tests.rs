//! Bad input of every kind, and an image made of nothing but code.

use super::*;

impl KernelImage {
    /// An image of nothing but `code` at `address`, with `symbols`.
    pub(in crate::derefs::sites) fn sample(
        code: &[u8],
        address: u64,
        symbols: &[(u64, &str)],
    ) -> Self {
        let mut symbols: Vec<Symbol> = symbols
            .iter()
            .map(|(address, name)| Symbol {
                address: *address,
                name: (*name).to_owned(),
            })
            .collect();
        symbols.sort();
        Self {
            sections: vec![Section {
                address,
                bytes: 0..code.len(),
                executable: true,
            }],
            symbols,
            btf: 0..0,
            symbol_source: SymbolSource::SymbolTable,
            release: "0.0.0".to_owned(),
            build_id: None,
            elf: code.to_vec(),
        }
    }
}

fn open(bytes: &[u8]) -> Option<String> {
    KernelImage::from_bytes(bytes.to_vec(), Path::new("the image"))
        .err()
        .map(|error| error.to_string())
}

/// An ELF header and nothing else, of machine type `machine`.
fn header(machine: u16) -> Vec<u8> {
    let mut elf = vec![0; 64];
    elf[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
    elf[16] = 2;
    elf[18..20].copy_from_slice(&machine.to_le_bytes());
    elf[20] = 1;
    elf[52] = 64;
    elf[58] = 64;
    elf
}

#[test]
fn each_kind_of_bad_input_is_told_apart() {
    let cases: [(&[u8], &str); 6] = [
        (b"", "neither an ELF vmlinux nor an x86 bzImage"),
        (b"#!/bin/sh\n", "neither an ELF vmlinux nor an x86 bzImage"),
        (b"\x7fELF\x02\x01", "damaged or truncated"),
        (&header(0xb7), "knows only x86-64, not yet"),
        (&header(0x3e), "no 'Linux version' banner"),
        (
            &[header(0x3e), b"Linux version 6.1.0 (gcc)\n".to_vec()].concat(),
            "carries no BTF",
        ),
    ];
    for (bytes, expected) in cases {
        let error = open(bytes).unwrap_or_default();
        assert!(
            error.contains(expected),
            "'{error}' does not say '{expected}'"
        );
    }
}

#[test]
fn an_arm64_image_is_named_as_such() {
    let mut image = vec![0; 64];
    image[0x38..0x3c].copy_from_slice(b"ARMd");
    assert!(open(&image).is_some_and(|error| error.contains("arm64")));
}

#[test]
fn a_format_string_is_no_banner() {
    assert_eq!(banner(b"Linux version %s (%s)"), None);
    let found = banner(b"Linux version %s\0Linux version 7.3.4+deb13 (x)");
    assert_eq!(found.as_deref(), Some("7.3.4+deb13"));
}

//! A kernel of one function: types, and an image with symbols.

/// BTF of a small kernel: kinds as in `include/uapi/linux/btf.h`.
pub(super) fn btf() -> Vec<u8> {
    const INT: u32 = 1;
    const PTR: u32 = 2;
    const STRUCT: u32 = 4;
    const ENUM: u32 = 6;
    const FUNC: u32 = 12;
    const FUNC_PROTO: u32 = 13;
    let mut strings = vec![0];
    let mut types: Vec<u32> = Vec::new();
    let mut name = |text: &str| {
        let at = strings.len();
        strings.extend(text.bytes());
        strings.push(0);
        u32::try_from(at).expect("small")
    };
    let mut add = |words: &[u32]| types.extend(words);
    // 1: unsigned long
    add(&[name("unsigned long"), INT << 24, 8, 64]);
    // 2: struct list_head *, 3: struct list_head
    add(&[0, PTR << 24, 3]);
    add(&[name("list_head"), STRUCT << 24 | 2, 16]);
    add(&[name("next"), 2, 0, name("prev"), 2, 64]);
    // 4: struct address_space *, 5: struct address_space
    add(&[0, PTR << 24, 5]);
    add(&[
        name("address_space"),
        STRUCT << 24 | 1,
        8,
        name("host"),
        1,
        0,
    ]);
    // 6: struct folio *, 7: struct folio, 8: struct page
    add(&[0, PTR << 24, 7]);
    for record in ["folio", "page"] {
        add(&[name(record), STRUCT << 24 | 4, 64]);
        add(&[name("flags"), 1, 0, name("lru"), 3, 64]);
        add(&[name("mapping"), 4, 192, name("index"), 1, 256]);
    }
    // 9: its arguments, 10: f(struct folio *folio), 11: enum pageflags
    add(&[0, FUNC_PROTO << 24 | 1, 1, name("folio"), 6]);
    add(&[name("f"), FUNC << 24, 9]);
    add(&[name("pageflags"), ENUM << 24 | 1, 4, name("PG_locked"), 0]);
    let length = |bytes: usize| u32::try_from(bytes).expect("small");
    let of_types = length(types.len() * 4);
    let mut bytes = 0xeb9f_u16.to_le_bytes().to_vec();
    bytes.extend([1, 0]);
    for word in [24, 0, of_types, of_types, length(strings.len())]
        .iter()
        .chain(&types)
    {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(strings);
    bytes
}

/// One section of the image.
struct Section {
    name: &'static str,
    kind: u32,
    flags: u64,
    address: u64,
    bytes: Vec<u8>,
}

/// An ELF file of x86-64: a function `f` that loads the mapping of its folio.
pub(super) fn elf() -> Vec<u8> {
    const TEXT: u64 = 0xffff_ffff_8100_0000;
    let section = |name, kind, flags, address, bytes| Section {
        name,
        kind,
        flags,
        address,
        bytes,
    };
    let names = b"\0_stext\0f\0".to_vec();
    let mut symbols = vec![0; 24];
    for name in [1_u32, 8] {
        symbols.extend(name.to_le_bytes());
        // A global function in section 1.
        symbols.extend([0x12, 0, 1, 0]);
        symbols.extend(TEXT.to_le_bytes());
        symbols.extend(5_u64.to_le_bytes());
    }
    let sections = [
        section("", 0, 0, 0, Vec::new()),
        // mov rax, [rdi+0x18]; ret
        section(".text", 1, 6, TEXT, vec![0x48, 0x8b, 0x47, 0x18, 0xc3]),
        section(
            ".rodata",
            1,
            2,
            TEXT + 0x1000,
            b"Linux version 7.3.0 (x)\n\0".to_vec(),
        ),
        section(".BTF", 1, 2, TEXT + 0x2000, btf()),
        section(".symtab", 2, 0, 0, symbols),
        section(".strtab", 3, 0, 0, names),
        section(".shstrtab", 3, 0, 0, Vec::new()),
    ];
    assemble(sections)
}

/// Header, contents, section headers.
fn assemble(mut sections: [Section; 7]) -> Vec<u8> {
    let mut names = Vec::new();
    let mut at_names = Vec::new();
    for section in &sections {
        at_names.push(u32::try_from(names.len()).expect("small"));
        names.extend(section.name.bytes());
        names.push(0);
    }
    sections[6].bytes = names;
    let mut file = vec![0; 64];
    let mut headers = Vec::new();
    for (number, (section, name)) in sections.iter().zip(at_names).enumerate() {
        file.resize(file.len().next_multiple_of(8), 0);
        headers.extend(name.to_le_bytes());
        headers.extend(section.kind.to_le_bytes());
        let (at, size) = (file.len() as u64, section.bytes.len() as u64);
        for word in [section.flags, section.address, at, size] {
            headers.extend(word.to_le_bytes());
        }
        // The symbols' names are in section 5, and one symbol is local.
        let (link, info, entry) = if number == 4 {
            (5_u32, 1_u32, 24_u64)
        } else {
            (0, 0, 0)
        };
        headers.extend(link.to_le_bytes());
        headers.extend(info.to_le_bytes());
        headers.extend(8_u64.to_le_bytes());
        headers.extend(entry.to_le_bytes());
        file.extend(&section.bytes);
    }
    file.resize(file.len().next_multiple_of(8), 0);
    let table = file.len() as u64;
    file.extend(headers);
    file[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
    file[16..24].copy_from_slice(&[2, 0, 0x3e, 0, 1, 0, 0, 0]);
    file[40..48].copy_from_slice(&table.to_le_bytes());
    file[52..64].copy_from_slice(&[64, 0, 56, 0, 0, 0, 64, 0, 7, 0, 6, 0]);
    file
}

/// A bzImage with this payload.
pub(super) fn bzimage(payload: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 1024];
    image[0x1f1] = 1;
    image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    image[0x202..0x206].copy_from_slice(b"HdrS");
    let length = u32::try_from(payload.len()).expect("small");
    image[0x24c..0x250].copy_from_slice(&length.to_le_bytes());
    image.extend_from_slice(payload);
    image
}

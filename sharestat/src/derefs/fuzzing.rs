//! Feeds the parsers of this folder: see [`crate::fuzzing`].

use std::{io, path::Path, str};

use super::{
    decode, diff,
    document::Document,
    sites::{self, KernelImage, Program, TypeTable},
    static_list, symbols, write,
};

/// Images with more symbols than this are not analysed: one function takes long enough.
const MOST_SYMBOLS: usize = 64;

/// `/proc/kallsyms`.
pub(crate) fn kallsyms(input: &[u8]) -> bool {
    let Ok(symbols) = symbols::LiveSymbols::parse(&String::from_utf8_lossy(input)) else {
        return false;
    };
    for symbol in symbols.all().iter().take(32) {
        let _ = symbols.find(symbol.address.wrapping_add(1), &|_| false);
        let _ = symbols.end_of(symbol.address);
    }
    true
}

/// A kernel image, packed or not, and the analysis of a small one.
pub(crate) fn kernel_image(input: &[u8]) -> bool {
    let path = Path::new("the input");
    let Ok(image) = KernelImage::from_bytes(input.to_vec(), path) else {
        return false;
    };
    let _ = image.jump_labels();
    let _ = image.symbol_at(u64::MAX);
    if let Ok(types) = sites::types_of(&image, path)
        && image.symbols().len() <= MOST_SYMBOLS
    {
        let _ = sites::find(&Program::new(&image, &types));
    }
    true
}

/// The symbols that a kernel carries for itself.
pub(crate) fn kernel_tables(input: &[u8]) -> bool {
    sites::decode_tables(input).is_ok()
}

/// BTF as the analysis wants it.
pub(crate) fn kernel_types(input: &[u8]) -> bool {
    let Ok(types) = TypeTable::new(input) else {
        return false;
    };
    let _ = types.loads(types.folio, types.mapping);
    let _ = types.size(types.page);
    true
}

/// Code of the kernel, in front of an address that an access was reported at.
pub(crate) fn kernel_code(input: &[u8]) -> bool {
    let Some((behind, code)) = input.split_first() else {
        return false;
    };
    decode::access_before(code, 0x1000, 0x1000 + u64::from(*behind)).is_some()
}

/// A result of `derefs watch`, written in every format and compared with itself.
pub(crate) fn document(input: &[u8]) -> bool {
    let Ok(document) = serde_json::from_slice::<Document>(input) else {
        return false;
    };
    let difference = diff::difference(&document, &document);
    let _ = difference.write_text(&mut io::sink());
    write::everything(&document);
    true
}

/// A list of `derefs sites`.
pub(crate) fn sites(input: &[u8]) -> bool {
    str::from_utf8(input).is_ok() && static_list::is_list(input)
}

#[cfg(test)]
pub(crate) use super::sites::sample_tables;

/// A small result of `derefs watch`.
#[cfg(test)]
pub(crate) fn sample_document() -> Vec<u8> {
    serde_json::to_vec(&super::sample::document()).expect("it serialises")
}

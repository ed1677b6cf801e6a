//! A kernel image as the analysis wants it: executable bytes, symbols, BTF, jump labels.
//! In: a file (ELF vmlinux or bzImage). Out: a [`KernelImage`], or one clear error.

mod kallsyms;
mod payload;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use kallsyms::tests::sample_tables;

use std::{ops::Range, path::Path};

use object::{Architecture, Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind, elf};

use super::error::SitesError;

/// A symbol: an address and the name of what starts there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    /// Link-time address.
    pub address: u64,
    /// Its name, with compiler suffixes such as `.cold`.
    pub name: String,
}

/// Where symbol names came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SymbolSource {
    /// The ELF symbol table (a debug package).
    SymbolTable,
    /// The tables the kernel carries for itself.
    Kallsyms,
}

struct Section {
    address: u64,
    bytes: Range<usize>,
    executable: bool,
}

impl Section {
    /// Address behind its last byte.
    fn end(&self) -> u64 {
        let length = u64::try_from(self.bytes.len()).unwrap_or(0);
        self.address.saturating_add(length)
    }
}

/// A kernel image, unpacked and indexed.
pub struct KernelImage {
    elf: Vec<u8>,
    sections: Vec<Section>,
    symbols: Vec<Symbol>,
    btf: Range<usize>,
    /// Where the names came from.
    pub symbol_source: SymbolSource,
    /// Version, from the `Linux version` banner.
    pub release: String,
    /// GNU build id in hexadecimal, where the image has one.
    pub build_id: Option<String>,
}

impl KernelImage {
    /// Reads and unpacks the image in the file `path`.
    ///
    /// # Errors
    /// When the file is no readable x86-64 kernel image with BTF and symbols.
    pub fn open(path: &Path) -> Result<Self, SitesError> {
        let bytes = std::fs::read(path).map_err(|source| SitesError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(bytes, path)
    }

    /// Unpacks the image `bytes`; `path` is only named in errors.
    ///
    /// # Errors
    /// As [`KernelImage::open`].
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self, SitesError> {
        if bytes.starts_with(b"\x7fELF") {
            return Self::from_elf(bytes, path);
        }
        if bytes.get(0x38..0x3c) == Some(b"ARMd") {
            return Err(SitesError::Machine {
                path: path.to_owned(),
                machine: "arm64".to_owned(),
            });
        }
        if !payload::is_bzimage(&bytes) {
            return Err(SitesError::NotAKernel {
                path: path.to_owned(),
            });
        }
        let damaged = |format, reason: String| SitesError::Payload {
            path: path.to_owned(),
            format,
            reason,
        };
        let found = payload::locate(&bytes)
            .ok_or_else(|| damaged("compressed", "the file ends before it does".to_owned()))?;
        let elf = found
            .unpack()
            .map_err(|error| damaged(found.format, error.to_string()))?;
        if !elf.starts_with(b"\x7fELF") {
            return Err(damaged(found.format, "it holds no ELF file".to_owned()));
        }
        Self::from_elf(elf, path)
    }

    fn from_elf(elf: Vec<u8>, path: &Path) -> Result<Self, SitesError> {
        let damaged = |what, reason: String| SitesError::Elf {
            path: path.to_owned(),
            what,
            reason,
        };
        let file = object::File::parse(elf.as_slice())
            .map_err(|error| damaged("the headers", error.to_string()))?;
        if file.architecture() != Architecture::X86_64 {
            return Err(SitesError::Machine {
                path: path.to_owned(),
                machine: format!("{:?}", file.architecture()),
            });
        }
        let mut sections = Vec::new();
        let mut btf = None;
        for section in file.sections() {
            let Some((start, length)) = section.file_range() else {
                continue;
            };
            let range = usize::try_from(start)
                .ok()
                .zip(
                    start
                        .checked_add(length)
                        .and_then(|end| usize::try_from(end).ok()),
                )
                .map(|(start, end)| start..end)
                .filter(|range| range.end <= elf.len())
                .ok_or_else(|| damaged("a section", "the file ends before it does".to_owned()))?;
            if section.name() == Ok(".BTF") {
                btf = Some(range.clone());
            }
            if let SectionFlags::Elf { sh_flags } = section.flags()
                && sh_flags & u64::from(elf::SHF_ALLOC) != 0
            {
                sections.push(Section {
                    address: section.address(),
                    bytes: range,
                    // Some kernels (7.x) mark their data executable too.
                    executable: sh_flags & u64::from(elf::SHF_EXECINSTR) != 0
                        && sh_flags & u64::from(elf::SHF_WRITE) == 0,
                });
            }
        }
        let release = banner(&elf).ok_or_else(|| SitesError::Foreign {
            path: path.to_owned(),
        })?;
        let btf = btf.ok_or_else(|| SitesError::NoBtf {
            path: path.to_owned(),
        })?;
        let table: Vec<Symbol> = file
            .symbols()
            .filter(|symbol| symbol.kind() != SymbolKind::Section && symbol.is_definition())
            .filter_map(|symbol| {
                Some(Symbol {
                    address: symbol.address(),
                    name: symbol.name().ok()?.to_owned(),
                })
            })
            .collect();
        let build_id = file.build_id().ok().flatten().map(hexadecimal);
        let mut image = Self {
            sections,
            symbols: table,
            btf,
            symbol_source: SymbolSource::SymbolTable,
            release,
            build_id,
            elf,
        };
        if image.symbols.is_empty() {
            image.symbol_source = SymbolSource::Kallsyms;
            let place = |offset| image.address_of_offset(offset);
            image.symbols =
                kallsyms::decode(&image.elf, &place).map_err(|reason| SitesError::NoSymbols {
                    path: path.to_owned(),
                    reason,
                })?;
        }
        image.symbols.sort();
        Ok(image)
    }

    /// The running kernel, as far as it was read from memory: its text, which starts at
    /// `start`, its symbols and types. Tables of jump labels are not part of that.
    #[must_use]
    pub fn of_memory(
        start: u64,
        text: Vec<u8>,
        mut symbols: Vec<Symbol>,
        btf: &[u8],
        release: String,
    ) -> Self {
        let mut elf = text;
        let code = 0..elf.len();
        elf.extend_from_slice(btf);
        symbols.sort();
        Self {
            btf: code.end..elf.len(),
            sections: vec![Section {
                address: start,
                bytes: code,
                executable: true,
            }],
            symbols,
            symbol_source: SymbolSource::Kallsyms,
            release,
            build_id: None,
            elf,
        }
    }

    /// All symbols, by address.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// Address of the symbol `name`.
    #[must_use]
    pub fn address_of(&self, name: &str) -> Option<u64> {
        self.symbols
            .iter()
            .find(|symbol| symbol.name == name)
            .map(|symbol| symbol.address)
    }

    /// The symbol that `address` is in, and the offset.
    #[must_use]
    pub fn symbol_at(&self, address: u64) -> Option<(&str, u64)> {
        let after = self
            .symbols
            .partition_point(|symbol| symbol.address <= address);
        let nearest = self.symbols.get(after.checked_sub(1)?)?;
        // Of several names of one address the first is as good as any, and stable.
        let first = self
            .symbols
            .partition_point(|symbol| symbol.address < nearest.address);
        let symbol = self.symbols.get(first)?;
        Some((&symbol.name, address - symbol.address))
    }

    /// The unpacked ELF file.
    #[must_use]
    pub fn elf(&self) -> &[u8] {
        &self.elf
    }

    /// The BTF blob.
    #[must_use]
    pub fn btf(&self) -> &[u8] {
        self.elf.get(self.btf.clone()).unwrap_or_default()
    }

    /// Bytes at `address` to the end of its section, at most `most`.
    #[must_use]
    pub fn bytes_at(&self, address: u64, most: usize) -> &[u8] {
        self.section_of(address)
            .and_then(|section| {
                let skip = usize::try_from(address - section.address).ok()?;
                let bytes = self.elf.get(section.bytes.clone())?.get(skip..)?;
                bytes.get(..most.min(bytes.len()))
            })
            .unwrap_or_default()
    }

    /// Whether `address` is in an executable section.
    #[must_use]
    pub fn is_code(&self, address: u64) -> bool {
        self.section_of(address)
            .is_some_and(|section| section.executable)
    }

    /// Address behind the section that `address` is in; `address` itself where it is in none.
    #[must_use]
    pub fn end_of_section(&self, address: u64) -> u64 {
        self.section_of(address).map_or(address, Section::end)
    }

    fn address_of_offset(&self, offset: usize) -> Option<u64> {
        let section = self
            .sections
            .iter()
            .find(|section| section.bytes.contains(&offset))?;
        let inside = u64::try_from(offset - section.bytes.start).ok()?;
        section.address.checked_add(inside)
    }

    fn section_of(&self, address: u64) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| (section.address..section.end()).contains(&address))
    }

    /// Jump labels as (code, target): branches that the running kernel switches on by
    /// patching (`struct jump_entry`: two 32-bit self-relative addresses and a key).
    #[must_use]
    pub fn jump_labels(&self) -> Vec<(u64, u64)> {
        let bounds = self
            .address_of("__start___jump_table")
            .zip(self.address_of("__stop___jump_table"));
        let Some((start, stop)) = bounds else {
            return Vec::new();
        };
        let length = usize::try_from(stop.saturating_sub(start)).unwrap_or(0);
        let mut labels: Vec<_> = self
            .bytes_at(start, length)
            .chunks_exact(16)
            .zip((start..).step_by(16))
            .filter_map(|(entry, at)| {
                let (code, rest) = entry.split_first_chunk::<4>()?;
                let (target, _) = rest.split_first_chunk::<4>()?;
                let code = at.checked_add_signed(i64::from(i32::from_le_bytes(*code)))?;
                let target = (at + 4).checked_add_signed(i64::from(i32::from_le_bytes(*target)))?;
                Some((code, target))
            })
            .collect();
        labels.sort_unstable();
        labels
    }
}

#[cfg(any(test, fuzzing))]
/// The symbols in `elf`, as if the file lay where kernels do.
pub(in crate::derefs) fn decode_tables(elf: &[u8]) -> Result<Vec<Symbol>, &'static str> {
    const KERNEL: u64 = 0xffff_ffff_8100_0000;
    kallsyms::decode(elf, &|offset| {
        KERNEL.checked_add(u64::try_from(offset).ok()?)
    })
}

/// The version in the `Linux version` banner (`linux_banner` in `init/version.c`).
fn banner(elf: &[u8]) -> Option<String> {
    const PREFIX: &[u8] = b"Linux version ";
    let mut rest = elf;
    while let Some(at) = find(rest, PREFIX) {
        let text = rest.get(at + PREFIX.len()..)?;
        let version: Vec<u8> = text
            .iter()
            .copied()
            .take(128)
            .take_while(u8::is_ascii_graphic)
            .collect();
        // 'Linux version %s' is a format string elsewhere in the image.
        if version.first().is_some_and(u8::is_ascii_digit) {
            return String::from_utf8(version).ok();
        }
        rest = text;
    }
    None
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Position of `needle` in `bytes`.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

//! Source lines and inline chains of sites, from DWARF: that of the image itself, or of a
//! vmlinux with debugging information beside it.

use std::{borrow::Cow, collections::HashMap, io::Read, path::Path};

use addr2line::{
    Context,
    gimli::{Dwarf, EndianSlice, LittleEndian, SectionId},
};
use object::{CompressionFormat, Object, ObjectSection};

use super::{error::SitesError, site::Site};

/// The bytes of a section, unpacked.
type Bytes<'a> = Cow<'a, [u8]>;

/// Largest section that is unpacked: those of a kernel have some hundred MiB.
const MOST: u64 = 2 << 30;

/// Gives `sites` their lines, from the ELF file `elf` of the kernel with this `build_id`;
/// returns how many have some. `path` is only named in errors.
///
/// # Errors
/// When the file is no ELF file, is of another build, or its DWARF is damaged.
pub fn annotate(
    sites: &mut [Site],
    elf: &[u8],
    build_id: Option<&str>,
    path: &Path,
) -> Result<usize, SitesError> {
    let damaged = |reason: String| SitesError::Debug {
        path: path.to_owned(),
        reason,
    };
    let file = object::File::parse(elf).map_err(|error| damaged(error.to_string()))?;
    let theirs = file
        .build_id()
        .ok()
        .flatten()
        .map(super::image::hexadecimal);
    if let (Some(ours), Some(theirs)) = (build_id, &theirs)
        && ours != theirs
    {
        return Err(SitesError::OtherBuild {
            path: path.to_owned(),
            theirs: theirs.clone(),
            ours: ours.to_owned(),
        });
    }
    let mut sections: HashMap<&'static str, Bytes<'_>> = HashMap::new();
    for section in file.sections() {
        let Ok(name) = section.name() else { continue };
        let wanted = (DEBUG_SECTIONS.iter()).find(|id| id.name() == name);
        if let Some(id) = wanted {
            let bytes =
                unpacked(&section).map_err(|reason| damaged(format!("'{name}': {reason}")))?;
            sections.insert(id.name(), bytes);
        }
    }
    if !sections.contains_key(SectionId::DebugInfo.name()) {
        return Err(SitesError::NoDebug {
            path: path.to_owned(),
        });
    }
    let load = |id: SectionId| -> Result<_, addr2line::gimli::Error> {
        let bytes = sections.get(id.name()).map_or(&[][..], |bytes| &**bytes);
        Ok(EndianSlice::new(bytes, LittleEndian))
    };
    let dwarf = Dwarf::load(load).map_err(|error| damaged(error.to_string()))?;
    let context = Context::from_dwarf(dwarf).map_err(|error| damaged(error.to_string()))?;
    let mut found = 0;
    for site in sites {
        site.source = chain(&context, site.address).map_err(|error| damaged(error.to_string()))?;
        found += usize::from(!site.source.is_empty());
    }
    Ok(found)
}

const DEBUG_SECTIONS: [SectionId; 11] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugLoc,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
];

/// The functions at `address`, innermost first, each with the line it is at.
fn chain(
    context: &Context<EndianSlice<'_, LittleEndian>>,
    address: u64,
) -> Result<Vec<String>, addr2line::gimli::Error> {
    let mut frames = context.find_frames(address).skip_all_loads()?;
    let mut chain = Vec::new();
    while let Some(frame) = frames.next()? {
        let name = match &frame.function {
            Some(function) => function.raw_name()?.into_owned(),
            None => "?".to_owned(),
        };
        let place = frame.location.and_then(|location| {
            let file = location.file?;
            // Kernels are built in their own directory: './mm/filemap.c'.
            let file = file.rsplit_once("/./").map_or(file, |(_, rest)| rest);
            Some(match location.line {
                Some(line) => format!("{file}:{line}"),
                None => file.to_owned(),
            })
        });
        chain.push(match place {
            Some(place) => format!("{name} {place}"),
            None => name,
        });
    }
    Ok(chain)
}

/// The bytes of a section, which may be compressed.
fn unpacked<'a>(section: &impl ObjectSection<'a>) -> Result<Bytes<'a>, String> {
    let data = section
        .compressed_data()
        .map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let read = match data.format {
        CompressionFormat::None => return Ok(Cow::Borrowed(data.data)),
        CompressionFormat::Zlib => flate2::read::ZlibDecoder::new(data.data)
            .take(MOST)
            .read_to_end(&mut bytes),
        CompressionFormat::Zstandard => ruzstd::decoding::StreamingDecoder::new(data.data)
            .map_err(|error| error.to_string())?
            .take(MOST)
            .read_to_end(&mut bytes),
        other => return Err(format!("compressed as {other:?}")),
    };
    read.map_err(|error| error.to_string())?;
    Ok(Cow::Owned(bytes))
}

#[cfg(test)]
mod tests {
    use object::ObjectSymbol;

    use super::super::{access::Kind, subsystem::Subsystem, value::Basis};
    use super::*;

    #[expect(clippy::inline_always, reason = "debug builds inline nothing else")]
    #[inline(always)]
    fn inlined_into_the_probe(value: u64) -> u64 {
        std::hint::black_box(value).wrapping_mul(3)
    }

    /// A function of this very program, whose DWARF is read.
    #[unsafe(no_mangle)]
    #[inline(never)]
    extern "C" fn sharestat_probe_of_lines(value: u64) -> u64 {
        inlined_into_the_probe(value) + 1
    }

    fn site(address: u64) -> Site {
        Site {
            id: "a".to_owned(),
            address,
            symbol: "a".to_owned(),
            offset: 0,
            function: "a".to_owned(),
            instruction: String::new(),
            base: None,
            displacement: None,
            kind: Kind::Load,
            basis: Basis::Typed,
            direct: None,
            subsystem: Subsystem::Mm,
            source: Vec::new(),
        }
    }

    fn own_program() -> Vec<u8> {
        std::fs::read("/proc/self/exe").expect("this program")
    }

    #[test]
    fn a_site_gets_its_line_and_what_was_inlined_there() {
        assert_eq!(sharestat_probe_of_lines(2), 7);
        let elf = own_program();
        let file = object::File::parse(&*elf).expect("an ELF file");
        let probe = file
            .symbols()
            .find(|symbol| symbol.name() == Ok("sharestat_probe_of_lines"))
            .expect("the function is there");
        let mut sites: Vec<Site> = (probe.address()..probe.address() + probe.size())
            .map(site)
            .collect();
        let found = annotate(&mut sites, &elf, None, Path::new("self")).expect("it has DWARF");
        assert_eq!(found, sites.len());
        let first = sites.first().expect("a site").source.join(" ");
        assert!(
            first.contains("sharestat_probe_of_lines") && first.contains("lines.rs:"),
            "{first}"
        );
        let deep = sites.iter().find(|site| site.source.len() > 1);
        let deep = &deep.expect("something is inlined").source;
        assert!(
            deep.iter()
                .any(|frame| frame.contains("inlined_into_the_probe"))
                && deep
                    .last()
                    .is_some_and(|frame| frame.starts_with("sharestat_probe_of_lines ")),
            "{deep:?}"
        );
    }

    #[test]
    fn other_builds_and_files_without_dwarf_are_told_apart() {
        let elf = own_program();
        let file = object::File::parse(&*elf).expect("an ELF file");
        if file.build_id().is_ok_and(|id| id.is_some()) {
            let error = annotate(&mut [], &elf, Some("0011"), Path::new("self"));
            let error = error.expect_err("another build").to_string();
            assert!(
                error.contains("is of another build") && error.contains("0011"),
                "{error}"
            );
        }
        let error = annotate(&mut [], b"no ELF at all", None, Path::new("x"));
        assert!(matches!(error, Err(SitesError::Debug { .. })));
        let error = annotate(&mut [], &elf[..4096], None, Path::new("x"));
        assert!(error.is_err(), "a truncated file");
    }
}

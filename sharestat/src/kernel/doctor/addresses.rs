//! Second opinions on calibration: symbols of the kernel, and the program headers of
//! `/proc/kcore`. Prints no address: they would give kernel address randomisation away.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
};

use super::{
    super::calibration::Bases,
    finding::{Area, Finding, State},
};

const AREA: Area = Area::Engine;

/// Symbols that hold the two bases on x86-64.
const SYMBOLS: [&str; 2] = ["page_offset_base", "vmemmap_base"];

/// `PT_LOAD` of elf(5).
const PT_LOAD: u32 = 1;

/// Program headers are read up to here: one per stretch of memory, 56 bytes each.
const HEADER_BYTES: u64 = 1 << 20;

pub(super) fn examine(bases: Option<&Bases>) -> Vec<Finding> {
    vec![symbols(), kcore(bases)]
}

fn symbols() -> Finding {
    let name = "kallsyms data symbols";
    let lines = match File::open("/proc/kallsyms") {
        Ok(file) => BufReader::new(file).lines(),
        Err(error) => {
            return Finding::new(
                AREA,
                name,
                State::NotNeeded,
                format!("cannot read '/proc/kallsyms': {error}"),
            );
        }
    };
    let seen: Vec<_> = lines
        .map_while(Result::ok)
        .filter_map(|line| symbol(&line))
        .collect();
    judge_symbols(&seen)
}

/// The symbol when it is one of ours, and whether its address is shown.
fn symbol(line: &str) -> Option<(&'static str, bool)> {
    let mut words = line.split_whitespace();
    let (address, _kind, name) = (words.next()?, words.next()?, words.next()?);
    let known = SYMBOLS.into_iter().find(|symbol| *symbol == name)?;
    Some((known, address.bytes().any(|digit| digit != b'0')))
}

fn judge_symbols(seen: &[(&str, bool)]) -> Finding {
    let name = "kallsyms data symbols";
    if seen.is_empty() {
        return Finding::new(
            AREA,
            name,
            State::NotNeeded,
            "not listed (CONFIG_KALLSYMS_ALL is off, or not x86-64); calibration and proof do without",
        );
    }
    if seen.iter().any(|(_, shown)| !shown) {
        return Finding::new(
            AREA,
            name,
            State::NotNeeded,
            "listed, addresses hidden (kptr_restrict, or no CAP_SYSLOG); calibration does without",
        );
    }
    let names: Vec<_> = seen.iter().map(|(name, _)| *name).collect();
    Finding::ok(AREA, name, format!("{} visible", names.join(", ")))
}

fn kcore(bases: Option<&Bases>) -> Finding {
    let name = "/proc/kcore";
    let mut bytes = Vec::new();
    let read = File::open(name).and_then(|file| file.take(HEADER_BYTES).read_to_end(&mut bytes));
    match (read, bases) {
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => Finding::new(
            AREA,
            name,
            State::NotNeeded,
            "not built into this kernel; calibration and proof do without",
        ),
        (Err(error), _) => Finding::new(
            AREA,
            name,
            State::NotNeeded,
            format!("cannot be read: {error}; calibration and proof do without"),
        ),
        (Ok(_), None) => Finding::not_tried(AREA, name, "readable, but there is no calibration"),
        (Ok(_), Some(bases)) => compare(&segments(&bytes), bases.memory_map, bases.direct_map),
    }
}

/// One loadable segment: virtual and physical address, `u64::MAX` when it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    virtual_address: u64,
    physical: u64,
}

/// `PT_LOAD` segments of a 64-bit ELF file of this machine's byte order (elf(5)).
fn segments(elf: &[u8]) -> Vec<Segment> {
    let word = |at: usize| -> Option<u64> {
        let bytes = elf.get(at..at.checked_add(8)?)?;
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    };
    let half = |at: usize| -> Option<usize> {
        let bytes = elf.get(at..at.checked_add(2)?)?;
        Some(usize::from(u16::from_ne_bytes(bytes.try_into().ok()?)))
    };
    let (Some(table), Some(size), Some(count)) = (word(32), half(54), half(56)) else {
        return Vec::new();
    };
    let table = usize::try_from(table).unwrap_or(usize::MAX);
    (0..count)
        .filter_map(|number| {
            let at = table.checked_add(number.checked_mul(size)?)?;
            let kind = elf.get(at..at.checked_add(4)?)?;
            if u32::from_ne_bytes(kind.try_into().ok()?) != PT_LOAD {
                return None;
            }
            Some(Segment {
                virtual_address: word(at + 16)?,
                physical: word(at + 24)?,
            })
        })
        .collect()
}

/// Whether there are segments in `elf`.
#[cfg(any(test, fuzzing))]
pub(in crate::kernel) fn has_segments(elf: &[u8]) -> bool {
    !segments(elf).is_empty()
}

/// Stretches of memory have `p_vaddr - p_paddr` equal to the base of the direct map; the
/// page structures of a stretch follow as a segment without physical address, aligned to
/// a page (`kclist_add_private`, `get_sparsemem_vmemmap_info`, fs/proc/kcore.c).
fn compare(segments: &[Segment], memory_map: u64, direct_map: u64) -> Finding {
    let name = "/proc/kcore";
    let memory: Vec<_> = segments
        .iter()
        .filter(|segment| {
            segment.physical != u64::MAX
                && segment.virtual_address.wrapping_sub(segment.physical) == direct_map
        })
        .collect();
    let structures_agree = memory.iter().any(|stretch| {
        let expected = memory_map.wrapping_add(stretch.physical / 4096 * 64) & !4095;
        segments
            .iter()
            .any(|segment| segment.physical == u64::MAX && segment.virtual_address == expected)
    });
    match (memory.is_empty(), structures_agree) {
        (false, true) => Finding::ok(AREA, name, "agrees with both bases of the calibration"),
        (false, false) => Finding::new(
            AREA,
            name,
            State::Degraded,
            "agrees with the direct map; shows no page structures where the calibration found them",
        )
        .loss("one of two cross-checks; the proof stands"),
        (true, _) => Finding::new(
            AREA,
            name,
            State::Degraded,
            "shows no stretch of memory at the direct map that the calibration found",
        )
        .loss("the cross-check; the proof stands")
        .remedy("compare 'scan' with 'scan --engine user', and report a difference"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECT: u64 = 0xffff_8881_0000_0000;
    const STRUCTURES: u64 = 0xffff_ea00_0000_0000;

    fn elf(segments: &[(u32, u64, u64)]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[32..40].copy_from_slice(&64_u64.to_ne_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_ne_bytes());
        let count = u16::try_from(segments.len()).expect("few segments");
        bytes[56..58].copy_from_slice(&count.to_ne_bytes());
        for (kind, virtual_address, physical) in segments {
            let mut header = [0; 56];
            header[..4].copy_from_slice(&kind.to_ne_bytes());
            header[16..24].copy_from_slice(&virtual_address.to_ne_bytes());
            header[24..32].copy_from_slice(&physical.to_ne_bytes());
            bytes.extend(header);
        }
        bytes
    }

    fn kernel() -> Vec<Segment> {
        segments(&elf(&[
            (4, 0, 0),
            (1, 0xffff_ffff_8100_0000, 0x100_0000),
            (1, DIRECT + 0x10_0000, 0x10_0000),
            (1, STRUCTURES + 0x4000, u64::MAX),
        ]))
    }

    #[test]
    fn program_headers_confirm_and_contradict() {
        assert_eq!(kernel().len(), 3);
        assert_eq!(compare(&kernel(), STRUCTURES, DIRECT).state, State::Ok);
        let elsewhere = compare(&kernel(), STRUCTURES + (1 << 30), DIRECT);
        assert_eq!(elsewhere.state, State::Degraded);
        assert!(elsewhere.found.contains("page structures"));
        let wrong = compare(&kernel(), STRUCTURES, DIRECT + (1 << 30));
        assert!(wrong.found.contains("no stretch"), "{}", wrong.found);
    }

    #[test]
    fn a_cut_or_absurd_header_gives_no_segments() {
        let whole = elf(&[(1, DIRECT, 0)]);
        // Both addresses end 32 bytes into the program header.
        for length in 0..64 + 32 {
            assert!(segments(&whole[..length]).is_empty(), "{length} bytes");
        }
        let mut absurd = whole;
        absurd[32..40].copy_from_slice(&u64::MAX.to_ne_bytes());
        assert!(segments(&absurd).is_empty());
    }

    #[test]
    fn hidden_symbols_are_told_from_absent_ones() {
        let shown = symbol("ffffffff82a00000 D page_offset_base").expect("it is ours");
        let hidden = symbol("0000000000000000 D vmemmap_base").expect("it is ours");
        assert_eq!(symbol("ffffffff81000000 T _text"), None);
        assert_eq!(judge_symbols(&[shown]).state, State::Ok);
        assert!(judge_symbols(&[shown, hidden]).found.contains("hidden"));
        assert!(judge_symbols(&[]).found.contains("not listed"));
    }
}

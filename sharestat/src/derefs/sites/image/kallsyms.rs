//! Decodes the symbol table that a kernel carries for itself (`kernel/kallsyms.c`,
//! written by `scripts/kallsyms.c`). In: the unpacked vmlinux. Out: symbols.
//! Nothing points at the tables, so they are found by their shape and then verified.

use super::{Symbol, find};

/// Places that a token table is looked for at: kernels have one or two that look like it.
const MOST_PLACES: usize = 256;

/// Steps through names of candidates, for each byte that is searched. Most candidates of
/// a kernel end after a few; those of a forged one may each go on to the end.
const STEPS_PER_BYTE: usize = 16;

/// Names are coded with tokens, one per byte value.
struct Tokens<'a> {
    texts: Vec<&'a [u8]>,
    /// Where the token table starts, and where the index behind it ends.
    start: usize,
    end: usize,
}

/// The coded names and the place of the count in front of them.
struct Names {
    count: usize,
    count_at: usize,
    first: usize,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(
        bytes.get(at..at.checked_add(8)?)?.try_into().ok()?,
    ))
}

/// Tables are aligned to eight bytes, and to four since they hold no addresses (7.x).
const ALIGNMENTS: [usize; 2] = [8, 4];

/// Decodes the kallsyms tables in `elf`; `place` gives the address of a file offset.
///
/// # Errors
/// Which of the tables could not be found.
pub(super) fn decode(
    elf: &[u8],
    place: &dyn Fn(usize) -> Option<u64>,
) -> Result<Vec<Symbol>, &'static str> {
    let tokens = find_tokens(elf).ok_or("no token table was found")?;
    let names = find_names(elf, &tokens).ok_or("no table of names fits the token table")?;
    let addresses = find_addresses(elf, &tokens, &names, place)
        .ok_or("no table of addresses fits the names")?;
    let mut at = names.first;
    let mut symbols = Vec::with_capacity(names.count);
    for address in addresses {
        let (from, length) = name_at(elf, at).ok_or("a name runs past the end")?;
        at = from + length;
        let coded = elf.get(from..at).ok_or("a name runs past the end")?;
        let text: Vec<u8> = coded
            .iter()
            .flat_map(|code| {
                tokens
                    .texts
                    .get(usize::from(*code))
                    .copied()
                    .unwrap_or_default()
            })
            .copied()
            .collect();
        // The first character is the symbol's type.
        if let Some((_, name)) = text.split_first() {
            symbols.push(Symbol {
                address,
                name: String::from_utf8_lossy(name).into_owned(),
            });
        }
    }
    Ok(symbols)
}

/// The token table has the ten digits in a row, each a text of one character, because
/// no digit is ever used up by a longer token; its index follows and must agree.
fn find_tokens(elf: &[u8]) -> Option<Tokens<'_>> {
    const DIGITS: &[u8] = b"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0";
    let mut from = 0;
    for _ in 0..MOST_PLACES {
        let digits = from + find(elf.get(from..)?, DIGITS)?;
        if let Some(tokens) = tokens_around(elf, digits) {
            return Some(tokens);
        }
        from = digits + 1;
    }
    None
}

fn tokens_around(elf: &[u8], digits: usize) -> Option<Tokens<'_>> {
    // Step back over the texts of the 48 codes below '0'.
    let mut start = digits;
    for _ in 0..usize::from(b'0') {
        let before = elf.get(..start.checked_sub(1)?)?;
        start = before.iter().rposition(|byte| *byte == 0)? + 1;
        if digits - start > 8192 {
            return None;
        }
    }
    // The first text has the end of another table, or padding, in front of it.
    ALIGNMENTS
        .into_iter()
        .map(|alignment| {
            start
                .saturating_sub(alignment - 1)
                .next_multiple_of(alignment)
        })
        .chain([start])
        .find_map(|first| tokens_at(elf, first))
}

fn tokens_at(elf: &[u8], start: usize) -> Option<Tokens<'_>> {
    let mut texts = Vec::with_capacity(256);
    let mut offsets = Vec::with_capacity(256);
    let mut at = start;
    for _ in 0..256 {
        let rest = elf.get(at..elf.len().min(at + 1024))?;
        let length = rest.iter().position(|byte| *byte == 0)?;
        offsets.push(at - start);
        texts.push(rest.get(..length)?);
        at += length + 1;
    }
    ALIGNMENTS
        .into_iter()
        .map(|alignment| at.next_multiple_of(alignment))
        .find(|index| {
            offsets.iter().enumerate().all(|(code, offset)| {
                elf.get(index + 2 * code..index + 2 * code + 2)
                    .and_then(|raw| raw.try_into().ok())
                    .is_some_and(|raw| usize::from(u16::from_le_bytes(raw)) == *offset)
            })
        })
        .map(|index| Tokens {
            texts,
            start,
            end: index + 512,
        })
}

/// Start and length of the coded name at `at`; two length bytes since 6.1 for long ones.
fn name_at(elf: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = usize::from(*elf.get(at)?);
    if first & 0x80 == 0 {
        return Some((at + 1, first));
    }
    let second = usize::from(*elf.get(at + 1)?);
    Some((at + 2, (first & 0x7f) | (second << 7)))
}

/// The names lie in front of the token table, after their count; every 256th is marked
/// in a table that follows them, which proves a candidate.
fn find_names(elf: &[u8], tokens: &Tokens<'_>) -> Option<Names> {
    const REACH: usize = 24 << 20;
    let mut count_at = tokens.start.saturating_sub(REACH).next_multiple_of(4);
    let mut steps = tokens.start.saturating_sub(count_at) * STEPS_PER_BYTE;
    while count_at + 8 < tokens.start {
        let count = usize::try_from(word(elf, count_at)?).ok()?;
        if (1_000..4_000_000).contains(&count) {
            let behind = (count_at + 4).next_multiple_of(8);
            let limit = tokens.start;
            let found = names_at(elf, count_at, count_at + 4, count, limit, &mut steps)
                .or_else(|| names_at(elf, count_at, behind, count, limit, &mut steps));
            if found.is_some() {
                return found;
            }
        }
        count_at += 4;
    }
    None
}

fn names_at(
    elf: &[u8],
    count_at: usize,
    names_at: usize,
    count: usize,
    limit: usize,
    steps: &mut usize,
) -> Option<Names> {
    let mut at = names_at;
    let mut marks = Vec::new();
    for nth in 0..count {
        *steps = steps.checked_sub(1)?;
        if nth % 256 == 0 {
            marks.push(u32::try_from(at - names_at).ok()?);
        }
        let (from, length) = name_at(elf, at)?;
        at = from + length;
        if length == 0 || at > limit {
            return None;
        }
    }
    ALIGNMENTS
        .into_iter()
        .map(|alignment| at.next_multiple_of(alignment))
        .any(|markers| {
            marks
                .iter()
                .enumerate()
                .all(|(nth, mark)| word(elf, markers + 4 * nth) == Some(*mark))
        })
        .then_some(Names {
            count,
            count_at,
            first: names_at,
        })
}

/// How a stored offset becomes an address.
#[derive(Clone, Copy)]
enum Scheme {
    /// Added to the base that follows the offsets.
    Base(u64),
    /// `-1 - offset` from the base; what is not negative is an address by itself
    /// (`CONFIG_KALLSYMS_ABSOLUTE_PERCPU`, until 6.14).
    BaseOrAbsolute(u64),
    /// Added to the address of the entry itself (7.x).
    Place(u64),
}

impl Scheme {
    fn address(self, nth: u64, offset: i32) -> u64 {
        match self {
            Self::Base(base) => base.wrapping_add(u64::from(offset.cast_unsigned())),
            Self::BaseOrAbsolute(base) if offset < 0 => {
                base.wrapping_add_signed(-1 - i64::from(offset))
            }
            Self::BaseOrAbsolute(_) => u64::from(offset.cast_unsigned()),
            Self::Place(start) => start
                .wrapping_add(4 * nth)
                .wrapping_add_signed(i64::from(offset)),
        }
    }
}

/// Until 6.3 the addresses stand in front of the count, later behind the token index.
/// The right place and scheme are those that give ascending kernel addresses.
fn find_addresses(
    elf: &[u8],
    tokens: &Tokens<'_>,
    names: &Names,
    place: &dyn Fn(usize) -> Option<u64>,
) -> Option<Vec<u64>> {
    let length = 4 * names.count;
    let tables = ALIGNMENTS.into_iter().flat_map(|alignment| {
        let padded = length.next_multiple_of(alignment);
        let before = names.count_at.checked_sub(8 + padded);
        let behind = Some(tokens.end.next_multiple_of(alignment));
        [(before, padded), (behind, padded)]
    });
    tables
        .filter_map(|(at, padded)| Some((at?, padded)))
        .find_map(|(at, padded)| {
            let mut schemes = Vec::new();
            if let Some(base) = long(elf, at + padded) {
                schemes.extend([Scheme::BaseOrAbsolute(base), Scheme::Base(base)]);
            }
            schemes.extend(place(at).map(Scheme::Place));
            schemes
                .into_iter()
                .find_map(|scheme| addresses(elf, at, names.count, scheme))
        })
}

fn addresses(elf: &[u8], at: usize, count: usize, scheme: Scheme) -> Option<Vec<u64>> {
    let found: Vec<u64> = (0..)
        .zip(elf.get(at..at + 4 * count)?.chunks_exact(4))
        .map(|(nth, raw)| Some(scheme.address(nth, i32::from_le_bytes(raw.try_into().ok()?))))
        .collect::<Option<_>>()?;
    let in_kernel = found
        .iter()
        .filter(|address| **address >> 31 == 0x1_ffff_ffff)
        .count();
    (found.is_sorted() && in_kernel * 2 > count).then_some(found)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Tables as `scripts/kallsyms.c` of 7.x writes them, `pad` bytes into a file that is
    /// at `BASE`: names, marks, tokens, index, offsets from each entry.
    fn tables(names: &[String], pad: usize) -> Vec<u8> {
        let mut file = vec![0; pad];
        let put = |file: &mut Vec<u8>, word: usize| {
            file.extend(u32::try_from(word).unwrap_or(0).to_le_bytes());
        };
        put(&mut file, names.len());
        let first = file.len();
        let mut marks = Vec::new();
        for (nth, name) in names.iter().enumerate() {
            if nth % 256 == 0 {
                marks.push(file.len() - first);
            }
            file.push(u8::try_from(name.len()).unwrap_or(0));
            file.extend(name.bytes());
        }
        file.resize(file.len().next_multiple_of(4), 0);
        for mark in marks {
            put(&mut file, mark);
        }
        let start = file.len();
        let mut index = Vec::new();
        for code in 0..=u8::MAX {
            index.extend(u16::try_from(file.len() - start).unwrap_or(0).to_le_bytes());
            // Codes that are no character of a name stand for longer texts.
            let text = if code.is_ascii_graphic() {
                vec![code]
            } else {
                vec![b'x'; 2]
            };
            file.extend(text);
            file.push(0);
        }
        file.resize(file.len().next_multiple_of(4), 0);
        file.extend(index);
        for nth in 0..names.len() {
            let entry = BASE + u64::try_from(file.len()).unwrap_or(0);
            let address = BASE + 0x10_0000 + 16 * u64::try_from(nth).unwrap_or(0);
            let offset = i32::try_from(address.wrapping_sub(entry).cast_signed()).unwrap_or(0);
            file.extend(offset.to_le_bytes());
        }
        file.resize(file.len() + 64, 0);
        file
    }

    /// Tables of as many symbols as make a kernel.
    pub(crate) fn sample_tables() -> Vec<u8> {
        let names: Vec<String> = (0..1000).map(|nth| format!("Tn{nth}")).collect();
        tables(&names, 4)
    }

    const BASE: u64 = 0xffff_ffff_8100_0000;

    fn place(offset: usize) -> Option<u64> {
        Some(BASE + u64::try_from(offset).ok()?)
    }

    #[test]
    fn names_and_addresses_are_found_at_any_place() {
        let names: Vec<String> = (0..1500).map(|nth| format!("Tname_{nth}")).collect();
        for pad in [0, 4, 64] {
            let symbols = decode(&tables(&names, pad), &place).unwrap_or_default();
            assert_eq!(symbols.len(), 1500, "with {pad} bytes in front");
            assert_eq!(
                symbols.first().map(|symbol| symbol.name.as_str()),
                Some("name_0")
            );
            let last = symbols.last();
            assert_eq!(last.map(|symbol| symbol.name.as_str()), Some("name_1499"));
            assert_eq!(
                last.map(|symbol| symbol.address),
                Some(BASE + 0x10_0000 + 16 * 1499)
            );
        }
    }

    #[test]
    fn a_cut_table_is_an_error() {
        let names: Vec<String> = (0..1500).map(|nth| format!("Tname_{nth}")).collect();
        let file = tables(&names, 0);
        for keep in [0, 100, file.len() / 2, file.len() - 1000] {
            assert!(decode(&file[..keep], &place).is_err(), "{keep} bytes");
        }
    }

    proptest! {
        #[test]
        fn damaged_tables_never_crash_the_decoder(
            at in 0_usize..40_000,
            damage in proptest::collection::vec(any::<u8>(), 1..64),
        ) {
            let names: Vec<String> = (0..1500).map(|nth| format!("Tname_{nth}")).collect();
            let mut file = tables(&names, 0);
            for (byte, damaged) in file.iter_mut().skip(at).zip(damage) {
                *byte = damaged;
            }
            if let Ok(symbols) = decode(&file, &place) {
                prop_assert!(symbols.is_sorted_by_key(|symbol| symbol.address));
            }
        }
    }
}

//! Damage as files get it, and as people make it: cuts, flipped bits, numbers that are
//! too large, parts of another input. The same for the same seed.

use crate::derefs::random::SplitMix;

/// Longest input that mutation makes.
const LONGEST: usize = 64 << 10;

/// Numbers that lengths and offsets go wrong at.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_f000,
    u64::MAX,
];

/// A copy of one input of `corpus`, damaged in one to four places.
pub(super) fn damaged(corpus: &[Vec<u8>], random: &mut SplitMix) -> Vec<u8> {
    let pick = |random: &mut SplitMix| corpus.get(random.below(corpus.len()));
    let mut bytes = pick(random).cloned().unwrap_or_default();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 | 2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            3 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.draw().to_le_bytes()[0];
                }
            }
            4 => number(&mut bytes, at, random),
            5 => digits(&mut bytes, at, random),
            6 => {
                // A piece again, in another place.
                let from = random.below(bytes.len());
                let piece: Vec<u8> = bytes.iter().skip(from).take(1 + at / 4).copied().collect();
                splice(&mut bytes, at, &piece);
            }
            _ => {
                let other = pick(random).map_or(&[][..], Vec::as_slice);
                let tail = other
                    .get(random.below(other.len())..)
                    .unwrap_or_default()
                    .to_vec();
                bytes.truncate(at);
                bytes.extend(tail);
            }
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

/// Writes a number of 2, 4 or 8 bytes, often where such numbers are.
fn number(bytes: &mut [u8], at: usize, random: &mut SplitMix) {
    let size = [2, 4, 8][random.below(3)];
    let value = match random.below(NUMBERS.len() + 2) {
        0 => u64::try_from(bytes.len()).unwrap_or(0),
        1 => random.draw(),
        known => NUMBERS.get(known - 2).copied().unwrap_or(0),
    };
    let at = at / size * size;
    for (byte, new) in bytes
        .iter_mut()
        .skip(at)
        .take(size)
        .zip(value.to_le_bytes())
    {
        *byte = new;
    }
}

/// Puts a number in place of the digits that follow.
fn digits(bytes: &mut Vec<u8>, at: usize, random: &mut SplitMix) {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(first) = rest.iter().position(u8::is_ascii_digit) else {
        return;
    };
    let from = at + first;
    let count = bytes[from..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let number = NUMBERS[random.below(NUMBERS.len())].to_string();
    bytes.splice(from..from + count, number.bytes());
}

fn splice(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    let at = at.min(bytes.len());
    bytes.splice(at..at, piece.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_does_the_same_damage_and_not_always_the_same() {
        let corpus = vec![b"one 12 two".to_vec(), vec![0; 300], Vec::new()];
        let many = |seed| {
            let mut random = SplitMix(seed);
            (0..500)
                .map(|_| damaged(&corpus, &mut random))
                .collect::<Vec<_>>()
        };
        assert_eq!(many(1), many(1));
        assert_ne!(many(1), many(2));
        let different: std::collections::HashSet<_> = many(1).into_iter().collect();
        assert!(different.len() > 250, "{} inputs", different.len());
    }
}

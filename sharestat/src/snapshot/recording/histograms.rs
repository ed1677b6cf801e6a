//! Distributions to and from the V2 format of `HdrHistogram`.

use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer as _, V2Serializer},
};

use super::record::StoredHistogram;
use crate::kernel::{moment::Moment, movement::Distributions};

const AGE: &str = "age_at_hash_ms";
const RESIDENCY: &str = "duplicate_residency_ms";
const HASH: &str = "hash_ns";

/// All distributions of a moment that have a value.
pub(super) fn store(moment: &Moment<'_>) -> Vec<StoredHistogram> {
    let own = moment.distributions;
    let own = [
        (AGE, &own.age_at_hash_ms),
        (RESIDENCY, &own.duplicate_residency_ms),
        (HASH, &own.hash_ns),
    ];
    let hooks = moment.hook_costs.iter();
    let hooks = hooks.map(|(name, values)| (name.as_str(), values));
    own.into_iter()
        .chain(hooks)
        .filter(|(_, values)| !values.is_empty())
        .filter_map(|(name, values)| {
            let mut v2 = Vec::new();
            V2Serializer::new().serialize(values, &mut v2).ok()?;
            Some(StoredHistogram {
                name: name.to_owned(),
                v2,
            })
        })
        .collect()
}

/// Distributions of one moment that are read: three of the collector, and one a hook.
const MOST: usize = 64;

/// Whether the bytes are as long as their header says, not packed, and no finer than what
/// is written: the reader makes room for whatever the header asks for, gigabytes included.
fn is_plausible(v2: &[u8]) -> bool {
    const COOKIE: u32 = 0x1c84_9313;
    const HEADER: usize = 40;
    const FINEST: u32 = 3;
    let word = |at: usize| {
        let bytes = v2.get(at..)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    };
    let payload = v2.len().checked_sub(HEADER);
    word(0) == Some(COOKIE)
        && word(4).is_some_and(|length| usize::try_from(length).ok() == payload)
        && word(12).is_some_and(|digits| digits <= FINEST)
}

/// Distributions of the collector, and those of the hooks by name. What cannot be read is
/// left out.
pub(super) fn load(stored: &[StoredHistogram]) -> (Distributions, Vec<(String, Histogram<u64>)>) {
    let mut own = Distributions::empty();
    let mut hooks = Vec::new();
    let plausible = stored.iter().take(MOST).filter(|one| is_plausible(&one.v2));
    for StoredHistogram { name, v2 } in plausible {
        let Ok(values) = Deserializer::new().deserialize(&mut &v2[..]) else {
            continue;
        };
        match name.as_str() {
            AGE => own.age_at_hash_ms = values,
            RESIDENCY => own.duplicate_residency_ms = values,
            HASH => own.hash_ns = values,
            _ => hooks.push((name.clone(), values)),
        }
    }
    (own, hooks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_that_asks_for_more_than_it_brings_is_left_out() {
        let mut values = Distributions::empty().hash_ns;
        values.record(100).expect("in bounds");
        let mut v2 = Vec::new();
        V2Serializer::new()
            .serialize(&values, &mut v2)
            .expect("memory");
        let stored = |v2: &[u8]| StoredHistogram {
            name: HASH.to_owned(),
            v2: v2.to_vec(),
        };
        assert_eq!(load(&[stored(&v2)]).0.hash_ns, values);
        let mut forged = v2.clone();
        forged[4..8].copy_from_slice(&0x4000_0000_u32.to_be_bytes());
        for wrong in [&forged[..], &v2[..v2.len() - 1], &[]] {
            assert!(load(&[stored(wrong)]).0.hash_ns.is_empty());
        }
    }
}

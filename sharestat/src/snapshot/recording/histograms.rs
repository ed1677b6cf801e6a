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

/// Distributions of the collector, and those of the hooks by name. What cannot be read is
/// left out.
pub(super) fn load(stored: &[StoredHistogram]) -> (Distributions, Vec<(String, Histogram<u64>)>) {
    let mut own = Distributions::empty();
    let mut hooks = Vec::new();
    for StoredHistogram { name, v2 } in stored {
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

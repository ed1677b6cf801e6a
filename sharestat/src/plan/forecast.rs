//! What the model says at one percentile, for each mechanism.

use super::{
    basis::{Cache, whole},
    curve::curve,
    document::{Forecast, MechanismForecast},
    model::{Load, MOST_CONTAINERS},
};

/// What is asked of the model.
#[derive(Clone, Debug)]
pub struct Question {
    /// What does not depend on the mechanism.
    pub load: Load,
    /// Containers to find hosts for.
    pub replicas: Option<u64>,
    /// Numbers of containers that the curve must have.
    pub at: Vec<u64>,
    /// The part of memory (0 to 1) from which on a saving matters.
    pub matters: f64,
}

/// The page cache at one percentile of the working set.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The percentile; `None` for a single sample.
    pub percentile: Option<f64>,
    /// By mechanism, `none` first.
    pub caches: Vec<Cache>,
}

/// Asks.
#[must_use]
pub fn forecast(scenario: &Scenario, question: &Question) -> Forecast {
    let load = &question.load;
    let fits: Vec<Option<u64>> = scenario
        .caches
        .iter()
        .map(|cache| load.fits(cache))
        .collect();
    let end = end_of_curve(&fits, question);
    let one_mix: Vec<u64> = load.images.iter().map(|image| image.replicas).collect();
    let no_private = Load {
        images: load
            .images
            .iter()
            .map(|image| super::model::ImageLoad {
                private: 0.0,
                refaulted: 0.0,
                ..*image
            })
            .collect(),
        ..load.clone()
    };
    let row = |(cache, fits): (&Cache, &Option<u64>)| MechanismForecast {
        name: cache.name.clone(),
        confidence: cache.confidence.to_owned(),
        host_cache_bytes: whole(cache.base),
        common_bytes: whole(cache.common_bytes(&one_mix)),
        own_cache_bytes: whole(no_private.per_container(cache)),
        per_container_bytes: whole(load.per_container(cache)),
        containers_per_host: *fits,
        matters_from: scenario
            .caches
            .first()
            .and_then(|none| load.matters_from(none, cache, question.matters)),
        hosts_needed: question.replicas.and_then(|wanted| hosts(wanted, *fits)),
        curve: curve(load, cache, end, &question.at),
    };
    Forecast {
        percentile: scenario.percentile,
        mechanisms: scenario.caches.iter().zip(&fits).map(row).collect(),
    }
}

/// Hosts for so many containers; none are enough when not one fits. More than
/// [`MOST_CONTAINERS`] are never put on one host.
fn hosts(wanted: u64, fits: Option<u64>) -> Option<u64> {
    match fits.unwrap_or(MOST_CONTAINERS) {
        0 => None,
        fits => Some(wanted.div_ceil(fits)),
    }
}

/// A tenth beyond where the last limit is, but not so far that the first is a speck.
fn end_of_curve(fits: &[Option<u64>], question: &Question) -> u64 {
    let first = fits.first().copied().flatten().unwrap_or(0);
    let last = fits.iter().copied().flatten().max().unwrap_or(0);
    let end = (last + last / 10 + 1).min(first.saturating_mul(5).max(20));
    let asked = question.at.iter().copied().max().unwrap_or(0);
    end.max(asked).max(question.load.mix().min(1000)).max(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_rounded_up_and_never_enough_for_what_does_not_fit() {
        assert_eq!(hosts(500, Some(40)), Some(13));
        assert_eq!(hosts(500, Some(500)), Some(1));
        assert_eq!(hosts(500, Some(0)), None);
        assert_eq!(hosts(500, None), Some(1));
        assert_eq!(hosts(10 * MOST_CONTAINERS, None), Some(10));
    }
}

//! Rates with confidence intervals, from sums over windows. A window is a few folios of a
//! stratum watched for a while: a random sample, in clusters, of its folio seconds. The
//! estimate is the ratio of hits to seconds, with the variance of a ratio estimator.

use super::{
    document::Rate,
    watch::{Stratum, Sums, WindowSums},
};

/// 97.5 % quantile of the normal distribution.
const Z: f64 = 1.96;

/// Hits per second in one stratum of `folios` folios, and the variance of that.
fn in_stratum(sums: &Sums, windows: &WindowSums, folios: f64) -> Option<(f64, f64)> {
    if windows.windows < 2.0 || windows.seconds <= 0.0 {
        return None;
    }
    let rate = sums.hits / windows.seconds;
    let residuals =
        sums.hits_squared - 2.0 * rate * sums.hits_seconds + rate * rate * windows.seconds_squared;
    let variance = windows.windows / (windows.windows - 1.0) * residuals.max(0.0)
        / (windows.seconds * windows.seconds);
    Some((rate * folios, variance * folios * folios))
}

/// The rate over all strata: `parts` are the sums, windows and number of folios of each.
/// `None` when no stratum was watched at least twice.
#[must_use]
pub fn rate(parts: &[(Sums, WindowSums, f64)]) -> Option<Rate> {
    let known: Vec<(f64, f64)> = parts
        .iter()
        .filter_map(|(sums, windows, folios)| in_stratum(sums, windows, *folios))
        .collect();
    if known.is_empty() {
        return None;
    }
    let per_second: f64 = known.iter().map(|(rate, _)| rate).sum();
    let spread = Z * known
        .iter()
        .map(|(_, variance)| variance)
        .sum::<f64>()
        .sqrt();
    Some(Rate {
        per_second,
        low: (per_second - spread).max(0.0),
        high: per_second + spread,
    })
}

/// The parts of one instruction: its sums in every stratum, with the folios of each.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of folios are far below 2^52"
)]
pub fn parts(
    sums_of: &dyn Fn(usize) -> Sums,
    windows: &[WindowSums; Stratum::ALL.len()],
    folios: &dyn Fn(Stratum) -> usize,
) -> Vec<(Sums, WindowSums, f64)> {
    Stratum::ALL
        .into_iter()
        .zip(windows)
        .enumerate()
        .map(|(at, (stratum, windows))| (sums_of(at), *windows, folios(stratum) as f64))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(count: f64, seconds: f64) -> WindowSums {
        WindowSums {
            folios: 0,
            windows: count,
            seconds: count * seconds,
            seconds_squared: count * seconds * seconds,
        }
    }

    #[test]
    fn equal_hits_in_equal_windows_leave_no_doubt() {
        let sums = Sums {
            hits: 20.0,
            hits_squared: 40.0,
            hits_seconds: 10.0,
        };
        // Ten windows of half a second with two hits each, of one folio in a hundred.
        let rate = rate(&[(sums, windows(10.0, 0.5), 100.0)]).expect("a rate");
        assert!((rate.per_second - 400.0).abs() < 1e-9);
        assert!((rate.high - rate.low).abs() < 1e-3);
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        // Each window of one second has a hit with probability 0.3: 0.3 per second.
        let mut random = super::super::random::SplitMix(1);
        let mut covered = 0;
        for _ in 0..400 {
            let mut sums = Sums::default();
            for _ in 0..200 {
                let hit = if random.below(10) < 3 { 1.0 } else { 0.0 };
                sums.hits += hit;
                sums.hits_squared += hit * hit;
                sums.hits_seconds += hit;
            }
            let rate = rate(&[(sums, windows(200.0, 1.0), 1.0)]).expect("a rate");
            covered += i32::from((rate.low..=rate.high).contains(&0.3));
        }
        assert!((365..=398).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn one_window_is_no_sample() {
        assert_eq!(rate(&[(Sums::default(), windows(1.0, 1.0), 5.0)]), None);
        assert_eq!(rate(&[]), None);
    }
}

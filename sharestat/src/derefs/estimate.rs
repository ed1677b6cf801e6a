//! Rates with confidence intervals, from sums over windows. A window is a few folios of a
//! stratum watched for a while: a random sample, in clusters, of its folio seconds. The
//! estimate is the ratio of weighted hits to weighted seconds, with the variance of a ratio
//! estimator, over the time in which the stratum had folios.

use super::{
    document::Rate,
    watch::{Sums, WindowSums},
};

/// 97.5 % quantile of the normal distribution.
const Z: f64 = 1.96;

/// Hits per second in one stratum, averaged over `seconds`, and the variance of that.
fn in_stratum(sums: &Sums, windows: &WindowSums, seconds: f64) -> Option<(f64, f64)> {
    if windows.windows < 2.0 || windows.weighted <= 0.0 || seconds <= 0.0 {
        return None;
    }
    let rate = sums.hits / windows.weighted;
    let residuals =
        sums.hits_squared - 2.0 * rate * sums.hits_seconds + rate * rate * windows.weighted_squared;
    let variance = windows.windows / (windows.windows - 1.0) * residuals.max(0.0)
        / (windows.weighted * windows.weighted);
    let present = windows.present / seconds;
    Some((rate * present, variance * present * present))
}

/// The rate over all strata: `parts` are the sums and windows of each, `seconds` those of
/// all windows. `None` when no stratum was watched at least twice.
#[must_use]
pub fn rate(parts: &[(Sums, WindowSums)], seconds: f64) -> Option<Rate> {
    let known: Vec<(f64, f64)> = parts
        .iter()
        .filter_map(|(sums, windows)| in_stratum(sums, windows, seconds))
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

/// `rate` with an interval that allows for the share `unseen` of the time, in which
/// breakpoints were moved or the page cache was looked at: as if nothing happened then, or
/// twice as much as else.
#[must_use]
pub fn allowing_for(unseen: f64, rate: Rate) -> Rate {
    Rate {
        low: rate.low * (1.0 - unseen),
        high: rate.high * (1.0 + unseen),
        ..rate
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sharestat_ebpf::records::{STACK_FRAMES, WatchHit, mapping_state};

    use super::*;
    use crate::derefs::{
        random::SplitMix,
        watch::{Population, Span, Stratum, Tally},
    };

    fn windows(count: f64, seconds: f64) -> WindowSums {
        WindowSums {
            folios: 0,
            windows: count,
            seconds: count * seconds,
            present: count * seconds,
            weighted: count * seconds,
            weighted_squared: count * seconds * seconds,
        }
    }

    #[test]
    fn equal_hits_in_equal_windows_leave_no_doubt() {
        let sums = Sums {
            hits: 2000.0,
            hits_squared: 400_000.0,
            hits_seconds: 1000.0,
        };
        // Ten windows of half a second with two hits each, of one folio in a hundred.
        let rate = rate(&[(sums, windows(10.0, 0.5))], 5.0).expect("a rate");
        assert!((rate.per_second - 400.0).abs() < 1e-9);
        assert!((rate.high - rate.low).abs() < 1e-3);
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        // Each window of one second has a hit with probability 0.3: 0.3 per second.
        let mut random = SplitMix(1);
        let mut covered = 0;
        for _ in 0..400 {
            let mut sums = Sums::default();
            for _ in 0..200 {
                let hit = if random.below(10) < 3 { 1.0 } else { 0.0 };
                sums.hits += hit;
                sums.hits_squared += hit * hit;
                sums.hits_seconds += hit;
            }
            let rate = rate(&[(sums, windows(200.0, 1.0))], 200.0).expect("a rate");
            covered += i32::from((rate.low..=rate.high).contains(&0.3));
        }
        assert!((365..=398).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn one_window_is_no_sample() {
        assert_eq!(rate(&[(Sums::default(), windows(1.0, 1.0))], 1.0), None);
        assert_eq!(rate(&[], 1.0), None);
    }

    #[test]
    fn unseen_time_widens_the_interval_only() {
        let rate = Rate {
            per_second: 10.0,
            low: 8.0,
            high: 12.0,
        };
        let wide = allowing_for(0.25, rate);
        assert_eq!((wide.low, wide.per_second, wide.high), (6.0, 10.0, 15.0));
        assert_eq!(allowing_for(0.0, rate), rate);
    }

    const WINDOW: Duration = Duration::from_millis(10);

    fn hit(folio: u64, at: Duration) -> WatchHit {
        WatchHit {
            time_ns: u64::try_from(at.as_nanos()).expect("a small time"),
            ip: 1,
            watched: folio,
            mapping: 0,
            index: 0,
            ino: 0,
            dev: 0,
            writers: 0,
            flags: 0,
            order: 0,
            state: mapping_state::FILE,
            stack_bytes: 0,
            process: 1,
            cpu: 0,
            task_flags: 0,
            command: [0; 16],
            stack: [0; STACK_FRAMES],
        }
    }

    /// A page cache of 10 hot folios, accessed in every window and while breakpoints are
    /// moved, and 90 cold ones. Every other census finds the hot ones mapped.
    fn simulated(seed: u64) -> Rate {
        let mut random = SplitMix(seed);
        let mut tally = Tally::default();
        let mut time = Duration::from_secs(1);
        for census in 0..20 {
            let mut population = Population::default();
            for folio in 0..100 {
                let mapped = folio < 10 && census % 2 == 0;
                let stratum = if mapped {
                    Stratum::Mapped
                } else {
                    Stratum::Active
                };
                population.add(stratum, folio);
            }
            for _ in 0..100 {
                let chosen = population.choose(4, &mut random);
                let window = Span {
                    start: time + WINDOW,
                    end: time + 2 * WINDOW,
                };
                let hot = chosen.iter().filter(|(_, folio)| *folio < 10);
                for (_, folio) in hot {
                    tally.add(&hit(*folio, time + WINDOW / 2), window);
                    tally.add(&hit(*folio, time + WINDOW + WINDOW / 2), window);
                }
                tally.end_window(&chosen, &population.shares(), window);
                time += 2 * WINDOW;
            }
        }
        let parts: Vec<(Sums, WindowSums)> = (0..Stratum::ALL.len())
            .map(|at| {
                let sums = tally.sums.get(&(1, at)).copied().unwrap_or_default();
                (sums, tally.windows[at])
            })
            .collect();
        rate(&parts, tally.seconds).expect("a rate")
    }

    #[test]
    fn folios_that_move_between_strata_and_hits_between_windows_do_not_mislead() {
        // Ten hot folios with one hit in ten milliseconds each.
        let truth = 1000.0;
        let mut covered = 0;
        let mut sum = 0.0;
        for seed in 0..100 {
            let rate = simulated(seed);
            covered += i32::from((rate.low..=rate.high).contains(&truth));
            sum += rate.per_second / 100.0;
        }
        assert!((sum - truth).abs() < 0.03 * truth, "{sum} on average");
        assert!(covered >= 88, "{covered} of 100");
    }
}

//! Rates with confidence intervals, from sums over windows. A window is a few folios of
//! some strata watched for a while: a random sample, in clusters, of their folio seconds.
//! The estimate is the ratio of weighted hits to weighted seconds of each stratum, over the
//! time in which the stratum had folios, summed; its variance is that between windows.

use super::{
    document::Rate,
    watch::{Sums, WindowSums},
};

/// A stratum that was watched often enough.
struct Known<'a> {
    at: usize,
    sums: &'a Sums,
    windows: &'a WindowSums,
    /// Hits per folio second, times its folios.
    rate: f64,
    /// Share of the time in which it had folios.
    present: f64,
}

impl<'a> Known<'a> {
    fn of(at: usize, (sums, windows): &'a (Sums, WindowSums), seconds: f64) -> Option<Self> {
        let enough = windows.windows >= 2.0 && windows.weighted > 0.0 && seconds > 0.0;
        enough.then(|| Self {
            at,
            sums,
            windows,
            rate: sums.hits / windows.weighted,
            present: windows.present / seconds,
        })
    }

    /// What one hit too many adds to the estimate, with the correction for few windows.
    fn leverage(&self) -> f64 {
        let few = self.windows.windows / (self.windows.windows - 1.0);
        self.present / self.windows.weighted * few.sqrt()
    }

    /// Covariance with `other`: what happens during a window happens to the folios of all
    /// strata that are watched in it.
    fn covariance(&self, other: &Self) -> f64 {
        let of = |sums: &[f64], at: usize| sums.get(at).copied().unwrap_or(0.0);
        let residuals = of(&self.sums.products, other.at)
            - other.rate * of(&self.sums.seconds, other.at)
            - self.rate * of(&other.sums.seconds, self.at)
            + self.rate * other.rate * of(&self.windows.products, other.at);
        self.leverage() * other.leverage() * residuals
    }
}

/// 97.5 % quantile of Student's t with so many degrees of freedom: from that of the normal
/// distribution, by the expansion of Fisher and Cornish. A variance of few windows is no
/// better known than the mean.
fn quantile(degrees: f64) -> f64 {
    const Z: f64 = 1.959_964;
    let terms = [
        (Z.powi(3) + Z) / 4.0,
        (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0,
        (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0,
    ];
    terms
        .iter()
        .rev()
        .fold(0.0, |sum, term| (sum + term) / degrees)
        + Z
}

/// The rate over all strata: `parts` are the sums and windows of each, in their order,
/// `seconds` those of all windows. `None` when no stratum was watched at least twice.
#[must_use]
pub fn rate(parts: &[(Sums, WindowSums)], seconds: f64) -> Option<Rate> {
    let known: Vec<Known<'_>> = parts
        .iter()
        .enumerate()
        .filter_map(|(at, part)| Known::of(at, part, seconds))
        .collect();
    if known.is_empty() {
        return None;
    }
    let per_second: f64 = known.iter().map(|part| part.rate * part.present).sum();
    let variance: f64 = known
        .iter()
        .flat_map(|one| known.iter().map(|other| one.covariance(other)))
        .sum();
    // Degrees of freedom of a sum of variances (Satterthwaite).
    let (mut own, mut squares) = (0.0, 0.0);
    for part in &known {
        let variance = part.covariance(part).max(0.0);
        own += variance;
        squares += variance * variance / (part.windows.windows - 1.0);
    }
    let degrees = if squares > 0.0 {
        own * own / squares
    } else {
        f64::INFINITY
    };
    let spread = quantile(degrees) * variance.max(0.0).sqrt();
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
            products: first(count * seconds * seconds),
        }
    }

    /// Sums of the first stratum only.
    fn first(value: f64) -> [f64; Stratum::ALL.len()] {
        let mut sums = [0.0; Stratum::ALL.len()];
        sums[0] = value;
        sums
    }

    #[test]
    fn equal_hits_in_equal_windows_leave_no_doubt() {
        let sums = Sums {
            hits: 2000.0,
            products: first(400_000.0),
            seconds: first(1000.0),
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
                sums.products[0] += hit * hit;
                sums.seconds[0] += hit;
            }
            let rate = rate(&[(sums, windows(200.0, 1.0))], 200.0).expect("a rate");
            covered += i32::from((rate.low..=rate.high).contains(&0.3));
        }
        assert!((365..=398).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn the_quantile_is_that_of_the_tables() {
        for (degrees, table) in [(3.0, 3.182), (5.0, 2.571), (10.0, 2.228), (30.0, 2.042)] {
            let found = quantile(degrees);
            assert!((found - table).abs() < 0.03, "{found} for {degrees}");
        }
        assert!((quantile(f64::INFINITY) - 1.96).abs() < 1e-3);
    }

    #[test]
    fn strata_that_are_watched_together_are_not_independent() {
        // Every other window has ten hits in each of two strata, or in one of them alone.
        let interval = |strata: &[Stratum]| {
            let mut tally = Tally::default();
            let mut population = Population::default();
            for (stratum, folio) in strata.iter().zip(0..) {
                population.add(*stratum, folio);
            }
            let chosen: Vec<(Stratum, u64)> = strata.iter().copied().zip(0..).collect();
            for nth in 0..100 {
                let start = 2 * nth * WINDOW;
                let window = Span {
                    start,
                    end: start + WINDOW,
                };
                for (_, folio) in &chosen {
                    for _ in 0..10 * (nth % 2) {
                        tally.add(&hit(*folio, start), window);
                    }
                }
                tally.end_window(&chosen, &population.shares(), window);
            }
            let rate = rate_of(&tally);
            rate.high - rate.low
        };
        let one = interval(&[Stratum::Mapped]);
        let both = interval(&[Stratum::Mapped, Stratum::Active]);
        assert!((both / one - 2.0).abs() < 0.05, "{both} and {one}");
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
        rate_of(&tally)
    }

    fn rate_of(tally: &Tally) -> Rate {
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

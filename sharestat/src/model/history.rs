//! The recent past: timed totals in a ring, and how fast things move, for sparklines.

use std::{collections::VecDeque, time::Duration};

use super::totals::{Activity, Totals};

/// The totals at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Time since the measurement began.
    pub at: Duration,
    /// The sums at that time.
    pub totals: Totals,
    /// What happened up to that time.
    pub activity: Activity,
}

/// Pages per second between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Entered the page cache.
    pub added: f64,
    /// Left the page cache.
    pub removed: f64,
    /// Became dirty.
    pub dirtied: f64,
    /// Were hashed.
    pub hashed: f64,
}

/// The last samples, oldest first.
pub struct History {
    samples: VecDeque<Sample>,
    most: usize,
}

impl History {
    /// Keeps at most `most` samples, at least two.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            samples: VecDeque::new(),
            most: most.max(2),
        }
    }

    /// Adds a sample; one that is not later than the last replaces it.
    pub fn push(&mut self, sample: Sample) {
        if self.samples.back().is_some_and(|last| last.at >= sample.at) {
            self.samples.pop_back();
        }
        while self.samples.len() >= self.most {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The latest sample.
    #[must_use]
    pub fn latest(&self) -> Option<&Sample> {
        self.samples.back()
    }

    /// The samples, oldest first.
    #[must_use]
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &Sample> {
        self.samples.iter()
    }

    /// One quantity over time, oldest first.
    #[must_use]
    pub fn series(&self, quantity: impl Fn(&Totals) -> u64) -> Vec<u64> {
        self.samples
            .iter()
            .map(|sample| quantity(&sample.totals))
            .collect()
    }

    /// The rates between each sample and the next, oldest first.
    pub fn rates(&self) -> impl Iterator<Item = Rates> + '_ {
        let later = self.samples.iter().skip(1);
        self.samples
            .iter()
            .zip(later)
            .map(|(one, next)| rates_between(one, next))
    }

    /// The rates between the last two samples.
    #[must_use]
    pub fn latest_rates(&self) -> Option<Rates> {
        let [.., one, next] = self.samples.iter().collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(rates_between(one, next))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "pages within one interval stay far below 2^52"
)]
fn rates_between(one: &Sample, next: &Sample) -> Rates {
    let seconds = next.at.saturating_sub(one.at).as_secs_f64();
    let rate = |quantity: fn(&Activity) -> u64| {
        let pages = quantity(&next.activity).saturating_sub(quantity(&one.activity));
        if seconds > 0.0 {
            pages as f64 / seconds
        } else {
            0.0
        }
    };
    Rates {
        added: rate(|activity| activity.added),
        removed: rate(|activity| activity.removed),
        dirtied: rate(|activity| activity.dirtied),
        hashed: rate(|activity| activity.hashed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: u64, resident: u64, added: u64) -> Sample {
        Sample {
            at: Duration::from_secs(seconds),
            totals: Totals {
                resident,
                ..Totals::default()
            },
            activity: Activity {
                added,
                ..Activity::default()
            },
        }
    }

    #[test]
    fn oldest_samples_make_room() {
        let mut history = History::new(3);
        for second in 0..5 {
            history.push(sample(second, second * 10, 0));
        }
        assert_eq!(history.series(|totals| totals.resident), [20, 30, 40]);
        assert_eq!(history.latest().map(|sample| sample.at.as_secs()), Some(4));
    }

    #[test]
    fn rates_are_per_second_of_the_interval() {
        let mut history = History::new(8);
        assert_eq!(history.latest_rates(), None);
        history.push(sample(0, 0, 0));
        history.push(sample(2, 0, 100));
        history.push(sample(3, 0, 130));
        let added: Vec<f64> = history.rates().map(|rates| rates.added).collect();
        assert_eq!(added, [50.0, 30.0]);
        assert_eq!(history.latest_rates().map(|rates| rates.added), Some(30.0));
    }

    #[test]
    fn a_sample_of_the_same_moment_replaces_the_last() {
        let mut history = History::new(8);
        history.push(sample(1, 10, 0));
        history.push(sample(1, 20, 0));
        assert_eq!(history.series(|totals| totals.resident), [20]);
    }
}

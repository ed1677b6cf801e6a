//! One number in two reports, in bytes, and what of its change is noise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number before and after. Unknown where a report was written with a cut list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// In the base report; null when its list is cut and does not show it.
    pub base_bytes: Option<u64>,
    /// In the new report; null when its list is cut and does not show it.
    pub new_bytes: Option<u64>,
    /// New less base; null when either is unknown.
    pub change_bytes: Option<i64>,
    /// The change in per cent of the base; null when the base is unknown or nothing.
    pub change_percent: Option<f64>,
    /// How far the repeated base reports are apart; null when there are none.
    pub noise_bytes: Option<u64>,
}

impl Change {
    /// The change from `base` to `new`, with the values of the repeated base reports.
    #[must_use]
    pub fn new(base: Option<u64>, new: Option<u64>, repeats: &[Option<u64>]) -> Self {
        let (change_bytes, change_percent) = match (base, new) {
            (Some(base), Some(new)) => {
                let change = difference(base, new);
                (Some(change), percent(change, base))
            }
            _ => (None, None),
        };
        let known: Option<Vec<u64>> = repeats.iter().chain([&base]).copied().collect();
        let noise_bytes = known.filter(|_| !repeats.is_empty()).and_then(|values| {
            let (least, most) = (values.iter().min()?, values.iter().max()?);
            Some(most - least)
        });
        Self {
            base_bytes: base,
            new_bytes: new,
            change_bytes,
            change_percent,
            noise_bytes,
        }
    }

    /// How much it moved, in bytes; nothing when that is unknown.
    #[must_use]
    pub fn distance(&self) -> u64 {
        self.change_bytes.map_or(0, i64::unsigned_abs)
    }

    /// Whether it moved no further than repeated measurements do.
    #[must_use]
    pub fn is_noise(&self) -> bool {
        self.noise_bytes
            .is_some_and(|noise| self.distance() <= noise)
    }

    /// Whether it moved further than repeated measurements do, or its value is unknown.
    #[must_use]
    pub fn is_worth_a_line(&self) -> bool {
        self.change_bytes.is_none() || (self.distance() > 0 && !self.is_noise())
    }
}

/// `new − base`, at the ends of the type where it does not fit.
fn difference(base: u64, new: u64) -> i64 {
    let difference = i128::from(new) - i128::from(base);
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}

/// A change in per cent; `None` of nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "per cent need no more than 53 bits"
)]
fn percent(change: i64, base: u64) -> Option<f64> {
    (base > 0).then(|| change as f64 * 100.0 / base as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_positive_and_from_nothing_it_has_no_percentage() {
        let grown = Change::new(Some(100), Some(150), &[]);
        assert_eq!(
            (grown.change_bytes, grown.change_percent),
            (Some(50), Some(50.0))
        );
        let new = Change::new(Some(0), Some(7), &[]);
        assert_eq!((new.change_bytes, new.change_percent), (Some(7), None));
        let unknown = Change::new(None, Some(7), &[]);
        assert_eq!(unknown.change_bytes, None);
        assert!(unknown.is_worth_a_line());
        let huge = Change::new(Some(0), Some(u64::MAX), &[]);
        assert_eq!(huge.change_bytes, Some(i64::MAX));
    }

    #[test]
    fn what_repeats_differ_by_is_noise() {
        let repeats = [Some(90), Some(105)];
        let within = Change::new(Some(100), Some(85), &repeats);
        assert_eq!(within.noise_bytes, Some(15));
        assert!(within.is_noise() && !within.is_worth_a_line());
        assert!(!Change::new(Some(100), Some(84), &repeats).is_noise());
        assert_eq!(
            Change::new(Some(1), Some(2), &[None]).noise_bytes,
            None,
            "a repeat that does not show it tells nothing"
        );
    }
}

//! The sums of a recording over time, thinned to what a picture can show.

use std::time::Duration;

use crate::{
    model::totals::Totals,
    report::{
        document::{TimelineEntry, TotalBytes},
        spread,
    },
};

/// Moments of a timeline; some two for each millimetre of a picture.
const MOST: usize = 600;

/// The moments, evenly thinned; the first and the last always stay.
pub(super) fn timeline(history: &[(Duration, Totals)]) -> Vec<TimelineEntry> {
    spread(history.len(), MOST)
        .filter_map(|at| history.get(at))
        .map(|(elapsed, totals)| TimelineEntry {
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            totals: TotalBytes::from(totals),
        })
        .collect()
}

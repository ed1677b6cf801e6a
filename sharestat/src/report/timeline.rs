//! What the formats show of a timeline: times in words, and a few moments of many.

use super::document::TimelineEntry;

/// Rows of a timeline in a table for people.
const ROWS: usize = 12;

/// A few moments, from the first to the last.
pub(super) fn some(moments: &[TimelineEntry]) -> impl Iterator<Item = &TimelineEntry> {
    spread(moments.len(), ROWS).filter_map(|at| moments.get(at))
}

/// At most `most` positions of `count`, evenly spread from the first to the last.
pub(crate) fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let most = most.min(count);
    (0..most).map(move |number| {
        if most < 2 {
            count.saturating_sub(1)
        } else {
            number * (count - 1) / (most - 1)
        }
    })
}

/// `12.5 s`, or `1:02:03` from a minute on.
pub(super) fn time(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds}.{} s", milliseconds / 100 % 10),
        (0, minutes) => format!("{minutes}:{:02}", seconds % 60),
        (hours, minutes) => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_spread_from_first_to_last() {
        let all = |count, most| spread(count, most).collect::<Vec<_>>();
        assert!(all(0, 5).is_empty());
        assert_eq!(all(3, 5), [0, 1, 2]);
        assert_eq!(all(11, 3), [0, 5, 10]);
        assert_eq!(all(9, 1), [8]);
        let many = all(100_000, 600);
        assert_eq!((many.len(), many.last()), (600, Some(&99_999)));
        assert!(many.is_sorted());
    }

    #[test]
    fn times_are_short() {
        assert_eq!(time(0), "0.0 s");
        assert_eq!(time(59_960), "59.9 s");
        assert_eq!(time(61_000), "1:01");
        assert_eq!(time(3_723_000), "1:02:03");
    }
}

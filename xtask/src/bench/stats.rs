//! Medians.

/// The middle of `values`, NaN when there is none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.get(middle) {
        None => f64::NAN,
        Some(high) if sorted.len() % 2 == 1 => *high,
        Some(high) => sorted
            .get(middle - 1)
            .map_or(*high, |low| f64::midpoint(*low, *high)),
    }
}

/// The median of `one / other`, pair by pair: what was measured side by side is compared
/// before the machine changes.
pub(super) fn median_ratio(pairs: &[(f64, f64)]) -> f64 {
    let ratios: Vec<f64> = pairs.iter().map(|(one, other)| one / other).collect();
    median(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn ratios_are_taken_before_the_median() {
        let ratio = median_ratio(&[(1.0, 2.0), (10.0, 10.0), (3.0, 4.0)]);
        assert!((ratio - 0.75).abs() < f64::EPSILON);
    }
}

//! A squarified treemap (Bruls, Huizing, van Wijk 2000): rectangles of given areas that
//! fill a rectangle and stay close to squares.

/// A rectangle: left, top, width, height.
pub(super) type Place = [f64; 4];

/// Places for areas that are positive and sorted, largest first.
pub(super) fn squarified(areas: &[f64], within: Place) -> Vec<Place> {
    let sum: f64 = areas.iter().sum();
    if sum <= 0.0 {
        return Vec::new();
    }
    let scale = within[2] * within[3] / sum;
    let mut rest: Vec<f64> = areas.iter().map(|area| area * scale).collect();
    let mut free = within;
    let mut places = Vec::with_capacity(areas.len());
    while !rest.is_empty() {
        let side = free[2].min(free[3]);
        let mut count = 1;
        while count < rest.len() && worst(&rest[..=count], side) <= worst(&rest[..count], side) {
            count += 1;
        }
        let row: Vec<f64> = rest.drain(..count).collect();
        free = lay(&row, free, &mut places);
    }
    places
}

/// The most drawn-out shape of a row along `side`.
fn worst(row: &[f64], side: f64) -> f64 {
    let sum: f64 = row.iter().sum();
    let shape = |area: &f64| {
        let thick = sum / side;
        let long = area / thick;
        (thick / long).max(long / thick)
    };
    row.iter().map(shape).fold(0.0, f64::max)
}

/// Lays a row along the shorter side, and returns what is left free.
fn lay(row: &[f64], free: Place, places: &mut Vec<Place>) -> Place {
    let [left, top, width, height] = free;
    let sum: f64 = row.iter().sum();
    let upright = width >= height;
    let thick = sum / if upright { height } else { width };
    let mut along = 0.0;
    for area in row {
        let long = area / thick;
        places.push(if upright {
            [left, top + along, thick, long]
        } else {
            [left + along, top, long, thick]
        });
        along += long;
    }
    if upright {
        [left + thick, top, (width - thick).max(0.0), height]
    } else {
        [left, top + thick, width, (height - thick).max(0.0)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_have_their_areas_and_stay_inside(mut areas in proptest::collection::vec(1_u32..10_000, 1..40)) {
            areas.sort_unstable_by(|one, other| other.cmp(one));
            let areas: Vec<f64> = areas.into_iter().map(f64::from).collect();
            let sum: f64 = areas.iter().sum();
            let places = squarified(&areas, [0.0, 0.0, 900.0, 400.0]);
            prop_assert_eq!(places.len(), areas.len());
            for (area, [left, top, width, height]) in areas.iter().zip(places) {
                let expected = area / sum * 360_000.0;
                prop_assert!((width * height - expected).abs() < 0.01 * expected + 0.01);
                prop_assert!(left >= -0.01 && top >= -0.01 && left + width <= 900.01 && top + height <= 400.01);
            }
        }
    }
}

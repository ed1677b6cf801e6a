//! The curves of a plan as CSV: one row for each percentile, mechanism and number of
//! containers.

use std::io::{self, Write};

use super::words;
use crate::{plan::document::Plan, report::csv::line};

/// Writes the curves.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(plan: &Plan, mut out: impl Write) -> io::Result<()> {
    let headings = [
        "percentile",
        "mechanism",
        "containers",
        "memory_bytes",
        "page_cache_bytes",
        "fits",
    ];
    line(&mut out, headings.map(str::to_owned).into_iter())?;
    let usable = plan
        .host
        .memory_bytes
        .saturating_sub(plan.host.reserve_bytes);
    for forecast in &plan.forecasts {
        for row in &forecast.mechanisms {
            for point in &row.curve {
                let cells = [
                    words::percentile(forecast.percentile),
                    row.name.clone(),
                    point.containers.to_string(),
                    point.memory_bytes.to_string(),
                    point.page_cache_bytes.to_string(),
                    (point.memory_bytes <= usable).to_string(),
                ];
                line(&mut out, cells.into_iter())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::write::sample;

    #[test]
    fn every_point_is_a_row() {
        let plan = sample::plan();
        let mut out = Vec::new();
        write(&plan, &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        let forecasts = plan.forecasts.iter();
        let points: usize = forecasts
            .flat_map(|forecast| &forecast.mechanisms)
            .map(|row| row.curve.len())
            .sum();
        assert_eq!(text.lines().count(), points + 1);
        assert!(text.contains("p90,none,0,"), "{text}");
    }
}

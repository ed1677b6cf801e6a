//! The sums of a recording over time: resident as a line, duplicate as an area, both from
//! the same zero. Each moment holds until the next: steps, not slopes.

use std::io;

use plotters::{
    prelude::{Color, PathElement, Polygon, RGBColor, Text},
    style::{IntoFont, TextStyle},
};

use super::charts::{BAR, Broken, WIDTH, draw, pixel};
use crate::{model::units::Bytes, report::document::TimelineEntry, report::timeline::time};

const RESIDENT: RGBColor = RGBColor(64, 132, 190);
const AXIS: RGBColor = RGBColor(128, 136, 144);
const LEFT: f64 = 84.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 200.0;
const HEIGHT: u32 = 226;

/// Draws it; empty without at least two moments.
pub(super) fn picture(moments: &[TimelineEntry]) -> io::Result<String> {
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
        return Ok(String::new());
    };
    let most = moments
        .iter()
        .map(|moment| moment.totals.resident_bytes)
        .max();
    let (span, most) = (
        last.elapsed_ms.saturating_sub(first.elapsed_ms),
        most.unwrap_or(0),
    );
    if span == 0 || most == 0 {
        return Ok(String::new());
    }
    let right = f64::from(WIDTH) - 24.0;
    let across = |milliseconds: u64| {
        let part = ratio(milliseconds.saturating_sub(first.elapsed_ms), span);
        pixel(LEFT + part * (right - LEFT))
    };
    let up = |bytes: u64| pixel(BOTTOM - ratio(bytes, most) * (BOTTOM - TOP));
    let steps = |of: fn(&TimelineEntry) -> u64| {
        let mut line: Vec<(i32, i32)> = Vec::with_capacity(moments.len() * 2);
        for moment in moments {
            let at = across(moment.elapsed_ms);
            if let Some(&(_, height)) = line.last() {
                line.push((at, height));
            }
            line.push((at, up(of(moment))));
        }
        line
    };
    let resident = steps(|moment| moment.totals.resident_bytes);
    let mut duplicate = steps(|moment| moment.totals.duplicate_bytes);
    let floor = pixel(BOTTOM);
    duplicate.push((across(last.elapsed_ms), floor));
    duplicate.push((across(first.elapsed_ms), floor));
    draw(HEIGHT, |area| -> Result<(), Broken> {
        for part in 0..=2 {
            let bytes = most / 2 * part;
            let height = up(bytes);
            let line = vec![(pixel(LEFT), height), (pixel(right), height)];
            area.draw(&PathElement::new(line, AXIS.mix(0.4)))?;
            area.draw(&Text::new(
                Bytes(bytes).to_string(),
                (2, height - 8),
                style(),
            ))?;
        }
        area.draw(&Polygon::new(duplicate, BAR.mix(0.6)))?;
        area.draw(&PathElement::new(resident, RESIDENT.stroke_width(2)))?;
        let middle = first.elapsed_ms + span / 2;
        for (at, shift) in [(first.elapsed_ms, 0), (middle, 20), (last.elapsed_ms, 44)] {
            let place = (across(at) - shift, floor + 6);
            area.draw(&Text::new(time(at), place, style()))?;
        }
        Ok(())
    })
}

fn style() -> TextStyle<'static> {
    TextStyle::from(("sans-serif", 14).into_font())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "pixels need no more than 53 bits"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::TotalBytes;

    #[test]
    fn it_is_drawn_from_two_moments_on_and_stays_inside() {
        let moment = |elapsed_ms, resident_bytes| TimelineEntry {
            elapsed_ms,
            totals: TotalBytes {
                resident_bytes,
                eligible_bytes: 0,
                distinct_bytes: resident_bytes / 2,
                duplicate_bytes: resident_bytes / 2,
                zero_bytes: 0,
            },
        };
        assert_eq!(picture(&[]).expect("drawn"), "");
        assert_eq!(picture(&[moment(5, 4096)]).expect("drawn"), "");
        let svg = picture(&[moment(0, 4096), moment(u64::MAX, u64::MAX)]).expect("drawn");
        assert!(
            svg.contains("<polygon") && svg.contains("<polyline"),
            "{svg}"
        );
        assert!(!svg.contains("points=\"-"), "{svg}");
    }
}

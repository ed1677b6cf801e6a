//! The picture: memory against the number of containers, one line for each mechanism, and
//! where the host is full.

use std::io;

use plotters::{
    coord::Shift,
    prelude::{
        Circle, Color, DrawingArea, IntoDrawingArea, PathElement, RGBColor, Rectangle, SVGBackend,
        Text,
    },
    style::{IntoFont, TextStyle},
};

use super::document::{MechanismForecast, Plan};
use crate::model::units::Bytes;

const WIDTH: u32 = 960;
const HEIGHT: u32 = 480;
const LEFT: i32 = 90;
const RIGHT: i32 = 760;
const TOP: i32 = 30;
const BOTTOM: i32 = 430;
const LINES: [RGBColor; 7] = [
    RGBColor(110, 118, 129),
    RGBColor(180, 130, 40),
    RGBColor(90, 148, 80),
    RGBColor(64, 132, 190),
    RGBColor(209, 102, 43),
    RGBColor(160, 104, 180),
    RGBColor(60, 160, 160),
];
const FULL: RGBColor = RGBColor(200, 60, 60);
const GRID: RGBColor = RGBColor(128, 136, 146);

type Broken = Box<dyn std::error::Error + Send + Sync>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The picture as SVG. `alone` gives it a background; within a page text takes the colour
/// of the page.
///
/// # Errors
/// Memory takes everything, so there are none.
pub fn svg(plan: &Plan, alone: bool) -> io::Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        draw(plan, alone, &area).map_err(io::Error::other)?;
        area.present().map_err(io::Error::other)?;
    }
    Ok(text)
}

/// From containers and bytes to places.
struct Scale {
    containers: u64,
    bytes: u64,
}

impl Scale {
    fn of(plan: &Plan, rows: &[MechanismForecast]) -> Self {
        let points = rows.iter().flat_map(|row| &row.curve);
        let containers = points.clone().map(|point| point.containers).max();
        let memory = plan.host.memory_bytes;
        let most = points.map(|point| point.memory_bytes).max().unwrap_or(1);
        // Beyond the memory of the host there is nothing to see.
        let bytes = most.max(1).min(memory.saturating_add(memory / 8));
        Self {
            containers: containers.unwrap_or(1).max(1),
            bytes: bytes.max(
                memory
                    .saturating_add(memory / 20)
                    .min(most.saturating_mul(4)),
            ),
        }
    }

    fn x(&self, containers: u64) -> i32 {
        LEFT + part(containers, self.containers, RIGHT - LEFT)
    }

    fn y(&self, bytes: u64) -> i32 {
        BOTTOM - part(bytes, self.bytes, BOTTOM - TOP)
    }
}

fn part(value: u64, whole: u64, length: i32) -> i32 {
    let scaled = u128::from(value) * u128::from(length.unsigned_abs()) / u128::from(whole.max(1));
    i32::try_from(scaled).unwrap_or(i32::MAX / 4)
}

fn draw(plan: &Plan, alone: bool, area: &Area<'_>) -> Result<(), Broken> {
    let rows = plan
        .planned()
        .map_or(&[][..], |planned| &planned.mechanisms);
    let scale = Scale::of(plan, rows);
    if alone {
        let corners = [(0, 0), (WIDTH.cast_signed(), HEIGHT.cast_signed())];
        area.draw(&Rectangle::new(corners, RGBColor(255, 255, 255).filled()))?;
    }
    let style = TextStyle::from(("sans-serif", 13).into_font());
    axes(&scale, &style, area)?;
    let usable = plan
        .host
        .memory_bytes
        .saturating_sub(plan.host.reserve_bytes);
    if usable <= scale.bytes {
        let y = scale.y(usable);
        area.draw(&PathElement::new(
            vec![(LEFT, y), (RIGHT, y)],
            FULL.stroke_width(2),
        ))?;
        let words = format!("full: {}", Bytes(usable));
        area.draw(&Text::new(words, (LEFT + 6, y - 16), style.clone()))?;
    }
    for (number, row) in rows.iter().enumerate() {
        let colour = LINES[number % LINES.len()];
        // The part of the line beyond the picture is cut at its upper edge.
        let seen = row
            .curve
            .iter()
            .take_while(|point| point.memory_bytes <= scale.bytes);
        let path: Vec<(i32, i32)> = seen
            .map(|point| (scale.x(point.containers), scale.y(point.memory_bytes)))
            .collect();
        if path.len() > 1 {
            // Wider below: a line that another one covers shows at its edges.
            let above = u32::try_from(rows.len() - number).unwrap_or(1);
            area.draw(&PathElement::new(path, colour.stroke_width(above + 1)))?;
        }
        if let Some(fits) = row
            .containers_per_host
            .filter(|fits| *fits <= scale.containers)
            && usable <= scale.bytes
        {
            let place = (scale.x(fits), scale.y(usable));
            area.draw(&Circle::new(place, 4, colour.filled()))?;
        }
        legend(number, row, colour, &style, area)?;
    }
    Ok(())
}

fn axes(scale: &Scale, style: &TextStyle<'_>, area: &Area<'_>) -> Result<(), Broken> {
    let faint = GRID.mix(0.35).stroke_width(1);
    for bytes in ticks(scale.bytes, 2) {
        let y = scale.y(bytes);
        area.draw(&PathElement::new(vec![(LEFT, y), (RIGHT, y)], faint))?;
        let words = Bytes(bytes).to_string();
        // About 7 pixels a letter, to end at the axis.
        let width = 7 * i32::try_from(words.len()).unwrap_or(0);
        area.draw(&Text::new(
            words,
            ((LEFT - 8 - width).max(0), y - 7),
            style.clone(),
        ))?;
    }
    for containers in ticks(scale.containers, 10) {
        let x = scale.x(containers);
        area.draw(&PathElement::new(
            vec![(x, BOTTOM), (x, BOTTOM + 5)],
            GRID.stroke_width(1),
        ))?;
        let words = containers.to_string();
        let half = 7 * i32::try_from(words.len()).unwrap_or(0) / 2;
        area.draw(&Text::new(words, (x - half, BOTTOM + 9), style.clone()))?;
    }
    let frame = vec![(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)];
    area.draw(&PathElement::new(frame, GRID.stroke_width(1)))?;
    area.draw(&Text::new(
        "memory in use",
        (LEFT - 84, TOP - 24),
        style.clone(),
    ))?;
    area.draw(&Text::new(
        "containers on the host",
        (RIGHT - 150, BOTTOM + 28),
        style.clone(),
    ))?;
    Ok(())
}

/// Round numbers up to `most`, at most ten: 1, 2 or 5 times a power of `base` to the
/// right power; bytes are rounded in powers of two.
fn ticks(most: u64, base: u64) -> impl Iterator<Item = u64> {
    let mut step: u64 = 1;
    while most / step > 9 {
        step = if base == 2 {
            step.saturating_mul(2)
        } else {
            let leading = step.to_string().starts_with('2');
            if leading {
                step / 2 * 5
            } else {
                step.saturating_mul(2)
            }
        };
    }
    (0..=most / step).map(move |number| number * step)
}

fn legend(
    number: usize,
    row: &MechanismForecast,
    colour: RGBColor,
    style: &TextStyle<'_>,
    area: &Area<'_>,
) -> Result<(), Broken> {
    let top = TOP + 44 * i32::try_from(number).unwrap_or(0);
    let line = vec![(RIGHT + 16, top + 8), (RIGHT + 40, top + 8)];
    area.draw(&PathElement::new(line, colour.stroke_width(3)))?;
    let fits = match row.containers_per_host {
        Some(fits) => format!("{fits} containers"),
        None => "no limit".to_owned(),
    };
    area.draw(&Text::new(
        row.name.as_str(),
        (RIGHT + 48, top),
        style.clone(),
    ))?;
    area.draw(&Text::new(fits, (RIGHT + 48, top + 17), style.clone()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::write::sample;

    #[test]
    fn ticks_are_round_and_few() {
        let all = |most, base| ticks(most, base).collect::<Vec<_>>();
        assert_eq!(all(7, 10), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(all(100, 10), [0, 20, 40, 60, 80, 100]);
        assert_eq!(
            all(450, 10),
            [0, 50, 100, 150, 200, 250, 300, 350, 400, 450]
        );
        assert_eq!(
            all(5 << 30, 2),
            (0..=5).map(|n| n << 30).collect::<Vec<_>>()
        );
    }

    #[test]
    fn there_is_a_line_and_a_legend_for_each_mechanism() {
        let plan = sample::plan();
        let text = svg(&plan, true).expect("memory takes everything");
        let rows = &plan.planned().expect("there is a forecast").mechanisms;
        for (row, colour) in rows.iter().zip(LINES) {
            assert!(text.contains(&format!("\n{}\n", row.name)), "{}", row.name);
            let RGBColor(red, green, blue) = colour;
            let colour = format!("#{red:02X}{green:02X}{blue:02X}");
            assert!(text.contains(&format!("stroke=\"{colour}\"")), "{colour}");
        }
        assert!(text.contains("full: "), "{text}");
        let bare = svg(&plan, false).expect("memory takes everything");
        assert!(
            bare.len() < text.len(),
            "the background is only for the picture alone"
        );
    }
}

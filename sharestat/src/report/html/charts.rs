//! Pictures as SVG. Colours are of middle lightness, and text takes its colour from the
//! page, so that both are legible in light and in dark.

use std::io;

use plotters::{
    coord::Shift,
    prelude::{Color, DrawingArea, IntoDrawingArea, RGBColor, Rectangle, SVGBackend, Text},
    style::{IntoFont, TextStyle},
};

use crate::{model::units::Bytes, report::document::Mechanism};

pub(super) const WIDTH: u32 = 960;
const LINE: u32 = 26;
pub(super) const BAR: RGBColor = RGBColor(209, 102, 43);

/// What plotters says; memory takes everything, so it says nothing.
pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One bar for each mechanism, with its bytes.
pub(super) fn mechanisms(rows: &[Mechanism]) -> io::Result<String> {
    let most = rows
        .iter()
        .map(|row| row.saving_bytes)
        .max()
        .unwrap_or(0)
        .max(1);
    let height = LINE * u32::try_from(rows.len()).unwrap_or(u32::MAX / LINE).max(1);
    draw(height, |area| {
        let style = TextStyle::from(("sans-serif", 14).into_font());
        for (number, row) in (0..).zip(rows) {
            let top = number * 26 + 4;
            let length = u128::from(row.saving_bytes) * 640 / u128::from(most);
            let length = i32::try_from(length).unwrap_or(640).max(1);
            area.draw(&Rectangle::new(
                [(130, top), (130 + length, top + 18)],
                BAR.filled(),
            ))?;
            area.draw(&Text::new(row.name.as_str(), (2, top + 2), style.clone()))?;
            let words = Bytes(row.saving_bytes).to_string();
            area.draw(&Text::new(words, (138 + length, top + 2), style.clone()))?;
        }
        Ok(())
    })
}

pub(super) fn draw(
    height: u32,
    paint: impl FnOnce(&Area<'_>) -> Result<(), Broken>,
) -> io::Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        paint(&area).map_err(io::Error::other)?;
        area.present().map_err(io::Error::other)?;
    }
    Ok(text)
}

/// Gives the rectangles of a picture their titles, which browsers show as tooltips, in the
/// order in which they were drawn: plotters knows no titles.
pub(super) fn titled(svg: &str, titles: &[String]) -> String {
    let mut parts = svg.split("<rect ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (number, part) in parts.enumerate() {
        out.push_str("<rect ");
        match (part.split_once("/>"), titles.get(number)) {
            (Some((attributes, rest)), Some(title)) => {
                let Ok(title) = askama::filters::escape(title, askama::filters::Html);
                let title = title.to_string();
                out.extend([attributes, "><title>", &title, "</title></rect>", rest]);
            }
            _ => out.push_str(part),
        }
    }
    out
}

#[expect(clippy::cast_possible_truncation, reason = "the picture is small")]
pub(super) fn pixel(place: f64) -> i32 {
    place.round() as i32
}

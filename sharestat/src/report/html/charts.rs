//! Pictures as SVG. Colours are of middle lightness, and text takes its colour from the
//! page, so that both are legible in light and in dark.

use std::io;

use plotters::{
    coord::Shift,
    prelude::{
        Color, DrawingArea, EmptyElement, IntoDrawingArea, RGBColor, Rectangle, SVGBackend, Text,
    },
    style::{IntoFont, TextStyle},
};

use super::{tables::whole, treemap::squarified};
use crate::{
    model::units::Bytes,
    report::document::{FileEntry, Mechanism},
};

pub(super) const WIDTH: u32 = 960;
const LINE: u32 = 26;
pub(super) const BAR: RGBColor = RGBColor(209, 102, 43);
const FILES: [RGBColor; 6] = [
    RGBColor(209, 102, 43),
    RGBColor(64, 132, 190),
    RGBColor(90, 148, 80),
    RGBColor(160, 104, 180),
    RGBColor(180, 130, 40),
    RGBColor(80, 140, 140),
];
/// Files drawn; the others would be specks.
const MOST_FILES: usize = 60;

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

/// The files with the largest parts of the duplicates, as a treemap. Empty without any.
pub(super) fn files(files: &[FileEntry]) -> io::Result<String> {
    let mut shares: Vec<(f64, &FileEntry)> = files
        .iter()
        .map(|file| (file.saving_share_bytes, file))
        .filter(|(share, _)| share.is_finite() && *share >= 1.0)
        .collect();
    if shares.is_empty() {
        return Ok(String::new());
    }
    shares.sort_by(|one, other| other.0.total_cmp(&one.0));
    shares.truncate(MOST_FILES);
    let areas: Vec<f64> = shares.iter().map(|(share, _)| *share).collect();
    let places = squarified(&areas, [0.0, 0.0, f64::from(WIDTH), 360.0]);
    draw(360, |area| {
        let style = TextStyle::from(("sans-serif", 13).into_font());
        for (number, ((share, file), [left, top, width, height])) in
            shares.iter().zip(places).enumerate()
        {
            let [left, top, right, bottom] = [left, top, left + width, top + height].map(pixel);
            let corners = [(left, top), ((right - 1).max(left), (bottom - 1).max(top))];
            area.draw(&Rectangle::new(
                corners,
                FILES[number % FILES.len()].mix(0.55).filled(),
            ))?;
            // About 7 pixels a letter: what has no room is in the table.
            let room = usize::try_from((right - left - 8) / 7).unwrap_or(0);
            if room >= 6 && bottom - top >= 18 {
                let words = shortened(
                    &format!("{} {}", Bytes(whole(*share)), name(&file.path)),
                    room,
                );
                area.draw(
                    &(EmptyElement::at((left + 4, top + 3))
                        + Text::new(words, (0, 0), style.clone())),
                )?;
            }
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

#[expect(clippy::cast_possible_truncation, reason = "the picture is small")]
pub(super) fn pixel(place: f64) -> i32 {
    place.round() as i32
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn shortened(words: &str, room: usize) -> String {
    if words.chars().count() <= room {
        return words.to_owned();
    }
    words
        .chars()
        .take(room.saturating_sub(1))
        .chain(['…'])
        .collect()
}

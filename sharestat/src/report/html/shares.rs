//! The treemap of duplicates: areas are parts of them, images around layers around files.
//! What has no room for its name has it as a tooltip.

use std::io;

use plotters::{
    prelude::{Color, RGBColor, Rectangle, Text},
    style::{IntoFont, TextStyle},
};

use super::{
    charts::{Area, Broken, WIDTH, draw, pixel, titled},
    parts::{self, Part},
    tables::whole,
    treemap::{Place, squarified},
};
use crate::report::Report;

const COLOURS: [RGBColor; 6] = [
    RGBColor(209, 102, 43),
    RGBColor(64, 132, 190),
    RGBColor(90, 148, 80),
    RGBColor(160, 104, 180),
    RGBColor(180, 130, 40),
    RGBColor(80, 140, 140),
];
const HEIGHT: u32 = 480;
/// Room for the name of an image or a layer above what is in it.
const HEAD: f64 = 20.0;

/// Draws it; empty where nothing is duplicate.
pub(super) fn picture(report: &Report) -> io::Result<String> {
    let parts = parts::of(report);
    if parts.is_empty() {
        return Ok(String::new());
    }
    let mut titles = Vec::new();
    let svg = draw(HEIGHT, |area| {
        let within = [0.0, 0.0, f64::from(WIDTH), f64::from(HEIGHT)];
        let colours = COLOURS.iter().cycle();
        for ((part, place), colour) in parts.iter().zip(places(&parts, within)).zip(colours) {
            let mut pencil = Pencil {
                area,
                colour: *colour,
                titles: &mut titles,
            };
            pencil.part(part, place)?;
        }
        Ok(())
    })?;
    Ok(titled(&svg, &titles))
}

fn places(parts: &[Part], within: Place) -> Vec<Place> {
    let areas: Vec<f64> = parts.iter().map(|part| part.share).collect();
    squarified(&areas, within)
}

/// Draws in one colour, and collects the titles of what it draws.
struct Pencil<'a, 'b> {
    area: &'a Area<'b>,
    colour: RGBColor,
    titles: &'a mut Vec<String>,
}

impl Pencil<'_, '_> {
    fn part(&mut self, part: &Part, [left, top, width, height]: Place) -> Result<(), Broken> {
        if part.parts.is_empty() {
            let place = [left, top, (width - 1.0).max(0.5), (height - 1.0).max(0.5)];
            self.fill(part, place, 0.4)?;
            let room = letters(width);
            let label = named(&part.name, &part.bytes(), room);
            return self.write(&label, place, 13);
        }
        // A gap between neighbours, and the name on top where there is room for one.
        let place = [left, top, (width - 3.0).max(1.0), (height - 3.0).max(1.0)];
        let [left, top, width, height] = place;
        self.fill(part, place, 0.2)?;
        let head = if height > 3.0 * HEAD { HEAD } else { 0.0 };
        if head > 0.0 {
            let label = headed(&part.name, &part.bytes(), letters(width));
            self.write(&label, [left, top, width, head], 14)?;
        }
        // A margin around layers, none around files.
        let margin = if part.parts.iter().any(|inner| !inner.parts.is_empty()) {
            3.0_f64.min(width / 4.0)
        } else {
            0.0
        };
        let within = [left + margin, top + head, width - margin, height - head];
        for (inner, place) in part.parts.iter().zip(places(&part.parts, within)) {
            self.part(inner, place)?;
        }
        Ok(())
    }

    fn fill(&mut self, part: &Part, place: Place, strength: f64) -> Result<(), Broken> {
        let [left, top, width, height] = place;
        let [left, top, right, bottom] = [left, top, left + width, top + height].map(pixel);
        let corners = [(left, top), (right.max(left), bottom.max(top))];
        let style = self.colour.mix(strength).filled();
        self.area.draw(&Rectangle::new(corners, style))?;
        self.titles.push(part.title());
        Ok(())
    }

    fn write(
        &self,
        words: &str,
        [left, top, width, height]: Place,
        size: i32,
    ) -> Result<(), Broken> {
        if letters(width) < 6 || height < 18.0 {
            return Ok(());
        }
        let style = TextStyle::from(("sans-serif", size).into_font());
        let at = (pixel(left) + 4, pixel(top) + 3);
        self.area.draw(&Text::new(words, at, style))?;
        Ok(())
    }
}

/// How many letters fit: about 7 pixels each.
fn letters(width: f64) -> usize {
    let room = whole(((width - 8.0) / 7.0).max(0.0));
    usize::try_from(room).unwrap_or(0)
}

/// A name and its bytes, or as much as there is room for.
fn named(name: &str, bytes: &str, room: usize) -> String {
    let both = format!("{name} {bytes}");
    if both.chars().count() <= room {
        return both;
    }
    ending(name, room)
}

/// Bytes before a name; without them where too little of the name would be left.
fn headed(name: &str, bytes: &str, room: usize) -> String {
    const ENOUGH: usize = 12;
    let left = room.saturating_sub(bytes.chars().count() + 1);
    if left < ENOUGH.min(name.chars().count()) {
        return ending(name, room);
    }
    format!("{bytes} {}", ending(name, left))
}

/// A name, or the end of it, by which long names differ.
fn ending(name: &str, room: usize) -> String {
    let length = name.chars().count();
    if length <= room {
        return name.to_owned();
    }
    let kept = name
        .chars()
        .skip(length - room.saturating_sub(1).min(length));
    std::iter::once('…').chain(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_rectangle_has_a_title_and_what_is_in_it_is_escaped() {
        let mut report = sample::report();
        report.files[0].layer = Some("base".to_owned());
        report.files[0].path = "/srv/<b>&x".to_owned();
        let svg = picture(&report).expect("drawn");
        assert!(svg.contains("base"), "{svg}");
        let rectangles = svg.matches("<rect ").count();
        assert!(rectangles >= 4, "{svg}");
        assert_eq!(svg.matches("</title></rect>").count(), rectangles, "{svg}");
        assert!(svg.contains("/srv/&#60;b&#62;&#38;x</title>"), "{svg}");
        report.files.clear();
        assert_eq!(picture(&report).expect("drawn"), "");
    }

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(ending("worker:1 [2/3]", 20), "worker:1 [2/3]");
        assert_eq!(ending("registry.example/worker:1 [2/3]", 9), "…:1 [2/3]");
        assert_eq!(ending("abc", 0), "…");
        assert_eq!(named("libc.so", "4.0 KiB", 15), "libc.so 4.0 KiB");
        assert_eq!(named("libc.so", "4.0 KiB", 14), "libc.so");
        assert_eq!(named("libcrypto.so.3", "4.0 KiB", 6), "….so.3");
        assert_eq!(headed("no image", "4.0 KiB", 16), "4.0 KiB no image");
        assert_eq!(headed("no image", "4.0 KiB", 15), "no image");
        let name = "registry.example/worker:1 [2/3]";
        assert_eq!(headed(name, "4.0 KiB", 20), "4.0 KiB …ker:1 [2/3]");
        assert_eq!(headed(name, "4.0 KiB", 19), "…ple/worker:1 [2/3]");
    }
}

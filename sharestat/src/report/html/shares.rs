//! The treemap of duplicates: a rectangle for each layer (for each filesystem, of files in
//! no layer), named by its image, and in it its files. Areas are parts of the duplicates.

use std::{collections::HashMap, io};

use plotters::{
    prelude::{Color, RGBColor, Rectangle, Text},
    style::{IntoFont, TextStyle},
};

use super::{
    charts::{Area, Broken, WIDTH, draw, pixel},
    tables::whole,
    treemap::{Place, squarified},
};
use crate::{
    model::units::Bytes,
    report::{Report, document::FileEntry},
};

const COLOURS: [RGBColor; 6] = [
    RGBColor(209, 102, 43),
    RGBColor(64, 132, 190),
    RGBColor(90, 148, 80),
    RGBColor(160, 104, 180),
    RGBColor(180, 130, 40),
    RGBColor(80, 140, 140),
];
const HEIGHT: u32 = 420;
/// Room for the name of a layer above its files.
const HEAD: f64 = 20.0;
/// Layers, and files of each, that are drawn; the others would be specks.
const MOST_LAYERS: usize = 24;
const MOST_FILES: usize = 40;

/// A layer and its files, largest part first.
struct Holder<'r> {
    name: &'r str,
    share: f64,
    files: Vec<&'r FileEntry>,
}

fn holders(report: &Report) -> Vec<Holder<'_>> {
    let mut holders: HashMap<&str, Holder<'_>> = HashMap::new();
    let files = report.files.iter();
    for file in files.filter(|file| file.saving_share_bytes.is_finite() && share(file) >= 1.0) {
        let name = file.layer.as_deref().unwrap_or(&file.fs);
        let holder = holders.entry(name).or_insert_with(|| Holder {
            name,
            share: 0.0,
            files: Vec::new(),
        });
        holder.share += share(file);
        holder.files.push(file);
    }
    let mut holders: Vec<Holder<'_>> = holders.into_values().collect();
    holders.sort_by(|one, other| {
        let order = other.share.total_cmp(&one.share);
        order.then_with(|| one.name.cmp(other.name))
    });
    holders.truncate(MOST_LAYERS);
    for holder in &mut holders {
        holder.files.sort_by(|one, other| {
            let order = share(other).total_cmp(&share(one));
            order.then_with(|| one.path.cmp(&other.path))
        });
    }
    holders
}

const fn share(file: &FileEntry) -> f64 {
    file.saving_share_bytes
}

/// Draws it; empty where nothing is duplicate.
pub(super) fn picture(report: &Report) -> io::Result<String> {
    let holders = holders(report);
    if holders.is_empty() {
        return Ok(String::new());
    }
    let areas: Vec<f64> = holders.iter().map(|holder| holder.share).collect();
    let places = squarified(&areas, [0.0, 0.0, f64::from(WIDTH), f64::from(HEIGHT)]);
    draw(HEIGHT, |area| {
        for (number, (holder, place)) in holders.iter().zip(places).enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            draw_holder(area, holder, place, colour)?;
        }
        Ok(())
    })
}

fn draw_holder(
    area: &Area<'_>,
    holder: &Holder<'_>,
    [left, top, width, height]: Place,
    colour: RGBColor,
) -> Result<(), Broken> {
    // A gap between layers, and the name on top where there is room for one.
    let [left, top, width, height] = [left, top, (width - 3.0).max(1.0), (height - 3.0).max(1.0)];
    let head = if height > 3.0 * HEAD { HEAD } else { 0.0 };
    fill(area, [left, top, width, height], colour, 0.25)?;
    if head > 0.0 {
        let words = format!("{} {}", Bytes(whole(holder.share)), holder.name);
        write(area, &words, [left, top, width, head], 14)?;
    }
    let shown = holder.files.len().min(MOST_FILES);
    let (files, others) = holder.files.split_at(shown);
    let mut parts: Vec<(f64, Option<&FileEntry>)> = files
        .iter()
        .map(|file| (share(file), Some(*file)))
        .collect();
    // What is not drawn keeps its room, as one blank.
    let rest: f64 = others.iter().map(|file| share(file)).sum();
    parts.extend((rest > 0.0).then_some((rest, None)));
    parts.sort_by(|one, other| other.0.total_cmp(&one.0));
    let areas: Vec<f64> = parts.iter().map(|(share, _)| *share).collect();
    let inside = [left, top + head, width, height - head];
    for ((share, file), place) in parts.into_iter().zip(squarified(&areas, inside)) {
        let [left, top, width, height] = place;
        let place = [left, top, (width - 1.0).max(0.5), (height - 1.0).max(0.5)];
        if let Some(file) = file {
            fill(area, place, colour, 0.45)?;
            let words = format!("{} {}", name(&file.path), Bytes(whole(share)));
            write(area, &words, place, 13)?;
        }
    }
    Ok(())
}

fn fill(area: &Area<'_>, place: Place, colour: RGBColor, strength: f64) -> Result<(), Broken> {
    let [left, top, width, height] = place;
    let [left, top, right, bottom] = [left, top, left + width, top + height].map(pixel);
    let corners = [(left, top), (right.max(left), bottom.max(top))];
    area.draw(&Rectangle::new(corners, colour.mix(strength).filled()))?;
    Ok(())
}

/// Words that fit, from the left; about 7.5 pixels a letter. What has no room is in the table.
fn write(area: &Area<'_>, words: &str, place: Place, size: i32) -> Result<(), Broken> {
    let [left, top, width, height] = place;
    let room = whole(((width - 8.0) / 7.5).max(0.0));
    let room = usize::try_from(room).unwrap_or(0);
    if room < 6 || height < 18.0 {
        return Ok(());
    }
    let style = TextStyle::from(("sans-serif", size).into_font());
    let at = (pixel(left) + 4, pixel(top) + 3);
    area.draw(&Text::new(shortened(words, room), at, style))?;
    Ok(())
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn shortened(words: &str, room: usize) -> String {
    if words.chars().count() <= room {
        return words.to_owned();
    }
    let kept = words.chars().take(room.saturating_sub(1));
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn files_are_in_their_layer_or_filesystem_and_all_parts_are_drawn() {
        let mut report = sample::report();
        report.files[0].layer = Some("base".to_owned());
        let found = holders(&report);
        let names: Vec<&str> = found.iter().map(|holder| holder.name).collect();
        assert!(names.contains(&"base") && names.contains(&"/"), "{names:?}");
        let sum: f64 = found.iter().map(|holder| holder.share).sum();
        let all: f64 = report.files.iter().map(share).sum();
        assert!((sum - all).abs() < 1.0, "{sum} of {all}");
        let svg = picture(&report).expect("drawn");
        assert!(svg.contains("base"), "{svg}");
        report.files.clear();
        assert_eq!(picture(&report).expect("drawn"), "");
    }
}

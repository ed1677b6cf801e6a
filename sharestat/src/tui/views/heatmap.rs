//! The heat map: for two layers, the copies whose nearest copy is in the other one. A sign
//! says how much, so that nothing depends on colour; below it the largest pairs in numbers.

use std::collections::HashMap;

use ratatui::text::{Line, Span};

use super::{
    super::{
        frame::{GroupRow, Identity},
        state::State,
        text::{clean, keep_ends, pad_left, pad_right, width},
        theme::Role,
    },
    Section,
    bars::title,
};
use crate::model::units::Bytes;

/// Least room for a layer's name.
const NAME: usize = 20;
/// Columns of one cell.
const CELL: usize = 3;
/// Pairs listed in numbers.
const PAIRS: usize = 20;

/// Signs from nothing to the largest pair; each step is half of the next.
const SIGNS: [&str; 6] = [" ", "·", "░", "▒", "▓", "█"];
const ASCII_SIGNS: [&str; 6] = [" ", ".", ":", "+", "*", "#"];

/// The map and its pairs.
pub(super) fn sections(state: &State, columns: usize) -> Vec<Section> {
    let identity = &state.frame().identity;
    let theme = &state.theme;
    let most = identity.pairs.iter().map(|pair| pair.shared.0).max();
    let Some(most) = most.filter(|most| *most > 0) else {
        let heading = title("Duplicates of another layer", columns, theme);
        return vec![vec![
            heading,
            Line::raw("  no page has its nearest copy in another layer"),
        ]];
    };
    let shown = layers(identity, columns);
    vec![
        map(state, identity, &shown, most, columns),
        pairs(state, identity, columns),
    ]
}

/// The layers that share most, as many as there is room for.
fn layers(identity: &Identity, columns: usize) -> Vec<&GroupRow> {
    let room = columns.saturating_sub(NAME + 4) / CELL;
    // Thousands of layers have ten thousands of pairs, and this is done for each picture.
    let mut shares: HashMap<&str, u64> = HashMap::new();
    for pair in identity.pairs.iter() {
        for id in [&pair.one, &pair.other] {
            *shares.entry(id).or_default() += pair.shared.0;
        }
    }
    let mut sharing: Vec<(u64, &GroupRow)> = identity
        .layers
        .iter()
        .map(|layer| (shares.get(&*layer.id).copied().unwrap_or(0), layer))
        .filter(|(shared, _)| *shared > 0)
        .collect();
    sharing.sort_by(|one, other| {
        other
            .0
            .cmp(&one.0)
            .then_with(|| one.1.name.cmp(&other.1.name))
    });
    sharing.truncate(room.max(2));
    sharing.into_iter().map(|(_, layer)| layer).collect()
}

/// Bytes shared by two of `shown`, by their places in it, both ways.
fn cells(identity: &Identity, shown: &[&GroupRow]) -> HashMap<(usize, usize), u64> {
    let places: HashMap<&str, usize> = shown
        .iter()
        .enumerate()
        .map(|(place, layer)| (&*layer.id, place))
        .collect();
    let place = |id: &str| places.get(id).copied();
    identity
        .pairs
        .iter()
        .filter_map(|pair| Some((place(&pair.one)?, place(&pair.other)?, pair.shared.0)))
        .flat_map(|(one, other, shared)| [((one, other), shared), ((other, one), shared)])
        .collect()
}

/// Which sign: 0 for nothing, 5 for more than half of the largest.
fn step(bytes: u64, most: u64) -> usize {
    if bytes == 0 {
        return 0;
    }
    (1..5)
        .find(|step| bytes > most >> step)
        .map_or(1, |step| 6 - step)
}

fn map(
    state: &State,
    identity: &Identity,
    shown: &[&GroupRow],
    most: u64,
    columns: usize,
) -> Section {
    let theme = &state.theme;
    let signs = if theme.glyphs.ascii {
        ASCII_SIGNS
    } else {
        SIGNS
    };
    let room = columns.saturating_sub(4 + shown.len() * CELL).max(NAME);
    let wide = shown
        .iter()
        .map(|layer| width(&layer.name))
        .max()
        .unwrap_or(0);
    let room = room.min(wide.max(8));
    let mut lines = vec![title(
        &format!(
            "Duplicates of another layer{}",
            super::overview::as_of(state)
        ),
        columns,
        theme,
    )];
    let numbers: String = (1..=shown.len())
        .map(|number| pad_left(&number.to_string(), CELL))
        .collect();
    lines.push(Line::styled(
        format!("{}{numbers}", " ".repeat(4 + room)),
        theme.style(Role::Dim),
    ));
    let cells = cells(identity, shown);
    for (number, layer) in shown.iter().enumerate() {
        let name = clean(&layer.name, theme.glyphs.ascii);
        let name = pad_right(&keep_ends(&name, room, theme.glyphs.cut), room);
        let mut spans = vec![Span::raw(format!(
            "{} {name}",
            pad_left(&(number + 1).to_string(), 3)
        ))];
        for column in 0..shown.len() {
            if column == number {
                spans.push(Span::styled(pad_left("\\", CELL), theme.style(Role::Dim)));
                continue;
            }
            let step = step(cells.get(&(number, column)).copied().unwrap_or(0), most);
            let role = [
                Role::Dim,
                Role::Dim,
                Role::Bar,
                Role::Bar,
                Role::Warning,
                Role::Bad,
            ][step];
            spans.push(Span::styled(
                format!(" {}", signs[step].repeat(CELL - 1)),
                theme.style(role),
            ));
        }
        lines.push(Line::from(spans));
    }
    // The lightest sign is for all that is below: sharing is never invisible.
    let legend: Vec<String> = (1..6)
        .map(|step| {
            let least = if step == 1 { 0 } else { most >> (6 - step) };
            format!("{} over {}", signs[step].repeat(2), state.units.show(least))
        })
        .collect();
    let hidden = identity.layers.len() - shown.len();
    lines.extend(in_lines(&legend, columns).map(|line| Line::styled(line, theme.style(Role::Dim))));
    if hidden > 0 {
        lines.push(Line::styled(
            format!("  {hidden} layers that share less, or nothing, are not shown"),
            theme.style(Role::Dim),
        ));
    }
    lines
}

/// Entries of a legend, as many in each line as fit whole.
fn in_lines(entries: &[String], columns: usize) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for entry in entries {
        match lines.last_mut() {
            Some(line) if width(line) + 2 + width(entry) <= columns => {
                line.push_str("  ");
                line.push_str(entry);
            }
            _ => lines.push(format!("  {entry}")),
        }
    }
    lines.into_iter()
}

fn pairs(state: &State, identity: &Identity, columns: usize) -> Section {
    let theme = &state.theme;
    let mut lines = vec![title("Largest pairs", columns, theme)];
    let name = |id: &str| {
        let layer = identity.layers.iter().find(|layer| *layer.id == *id);
        clean(layer.map_or(id, |layer| &layer.name), theme.glyphs.ascii)
    };
    let mut sorted: Vec<_> = identity
        .pairs
        .iter()
        .filter(|pair| pair.shared != Bytes(0))
        .collect();
    sorted.sort_by_key(|pair| std::cmp::Reverse(pair.shared));
    let room = columns.saturating_sub(14 + 3) / 2;
    for pair in sorted.into_iter().take(PAIRS) {
        let side = |id: &str| keep_ends(&name(id), room, theme.glyphs.cut);
        lines.push(Line::from(vec![
            Span::styled(
                format!("  {}", pad_left(&state.units.show(pair.shared.0), 10)),
                theme.style(Role::Strong),
            ),
            Span::raw(format!("  {} + {}", side(&pair.one), side(&pair.other))),
        ]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_shared_has_a_sign_and_the_largest_has_the_darkest() {
        assert_eq!(step(0, 100), 0);
        assert_eq!(step(1, 1 << 40), 1);
        assert_eq!(step(100, 100), 5);
        assert_eq!(step(51, 100), 5);
        assert_eq!(step(50, 100), 4);
        assert_eq!(step(13, 100), 3);
        assert_eq!(step(7, 100), 2);
        assert_eq!(step(1, 100), 1);
    }
}

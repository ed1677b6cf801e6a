//! The lists of a report as tables whose columns know how they sort.

use std::collections::HashSet;

use crate::{
    model::units::Bytes,
    report::{
        Report, avoidable,
        document::{AvoidableInfo, Group, LayerPair},
    },
};

/// Rows of the longest list; a browser sorts as many at once.
const MOST_ROWS: usize = 5000;

/// Layers of the heat map, those with most in common.
const MOST_LAYERS: usize = 16;

/// One list.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// A column, and whether it holds numbers.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) number: bool,
}

/// A cell; numbers sort by their value.
pub(crate) struct Cell {
    pub(crate) words: String,
    pub(crate) sort: Option<u64>,
}

/// A cell of words.
pub(crate) fn text(words: impl Into<String>) -> Cell {
    Cell {
        words: words.into(),
        sort: None,
    }
}

fn bytes(bytes: u64) -> Cell {
    Cell {
        words: Bytes(bytes).to_string(),
        sort: Some(bytes),
    }
}

/// A cell of a number.
pub(crate) fn number(number: u64) -> Cell {
    Cell {
        words: number.to_string(),
        sort: Some(number),
    }
}

/// A table; columns whose name begins with `#` hold numbers.
pub(crate) fn table(
    title: &str,
    columns: &[&'static str],
    rows: impl Iterator<Item = Vec<Cell>>,
) -> Option<Table> {
    let mut rows: Vec<Vec<Cell>> = rows.collect();
    let all = rows.len();
    rows.truncate(MOST_ROWS);
    let title = if all > MOST_ROWS {
        format!("{title}, the first {MOST_ROWS} of {all}")
    } else {
        title.to_owned()
    };
    let column = |name: &&'static str| Column {
        name: name.trim_start_matches('#'),
        number: name.starts_with('#'),
    };
    (all > 0).then(|| Table {
        title,
        columns: columns.iter().map(column).collect(),
        rows,
    })
}

const HOLDING: [&str; 5] = [
    "name",
    "#duplicate",
    "#part of savings",
    "#exclusive",
    "#resident",
];

/// All lists that are not empty.
pub(super) fn all(report: &Report) -> Vec<Table> {
    let scopes = report.scopes.iter();
    let mechanisms = report.mechanisms.iter();
    let tables = [
        table(
            "Duplicates by scope",
            &["scope", "#duplicate"],
            scopes.map(|row| vec![text(&row.name), bytes(row.duplicate_bytes)]),
        ),
        table(
            "Savings by mechanism",
            &[
                "mechanism",
                "#saving",
                "#groups",
                "confidence",
                "out of its reach",
            ],
            mechanisms.map(|row| {
                vec![
                    text(&row.name),
                    bytes(row.saving_bytes),
                    number(row.groups),
                    text(row.sureness()),
                    text(row.beyond()),
                ]
            }),
        ),
        report.avoidable.as_ref().and_then(by_image),
        groups("Images", &report.images),
        groups("Layers", &report.layers),
        groups("Containers", &report.containers),
        groups("Memory cgroups", &report.memcgs),
        table(
            "Filesystems",
            &HOLDING,
            report.filesystems.iter().map(|row| {
                let name = format!("{} ({})", row.name, row.fs_type);
                holding(
                    name,
                    [
                        row.duplicate_bytes,
                        whole(row.saving_share_bytes),
                        row.exclusive_bytes,
                        row.resident_bytes,
                    ],
                )
            }),
        ),
        table(
            "Files",
            &HOLDING,
            report.files.iter().map(|row| {
                // Lines of one cell: a table sorts by the first, which is the path.
                let mut name = row.shown_path().into_owned();
                for partner in &row.partners {
                    let shared = Bytes(partner.shared_bytes).to_string();
                    name.extend(["\n", &shared, " with ", &partner.path]);
                }
                holding(
                    name,
                    [
                        row.duplicate_bytes,
                        whole(row.saving_share_bytes),
                        row.exclusive_bytes,
                        row.resident_bytes,
                    ],
                )
            }),
        ),
    ];
    tables.into_iter().flatten().collect()
}

fn by_image(info: &AvoidableInfo) -> Option<Table> {
    let columns = ["image", "#reads", "#reclaim", "#reads/s", "#reclaim/s"];
    let rows = info.images.iter().map(|image| {
        let numbers = avoidable::numbers(image).into_iter().map(bytes);
        std::iter::once(text(&image.name)).chain(numbers).collect()
    });
    let shown = 1 + avoidable::columns(info).len();
    table("Avoidable, by image", &columns[..shown], rows)
}

fn groups(title: &str, groups: &[Group]) -> Option<Table> {
    table(
        title,
        &HOLDING,
        groups.iter().map(|row| {
            holding(
                row.name.clone(),
                [
                    row.duplicate_bytes,
                    whole(row.saving_share_bytes),
                    row.exclusive_bytes,
                    row.resident_bytes,
                ],
            )
        }),
    )
}

fn holding(name: String, numbers: [u64; 4]) -> Vec<Cell> {
    std::iter::once(text(name))
        .chain(numbers.map(bytes))
        .collect()
}

/// A share as whole bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
pub(super) fn whole(share: f64) -> u64 {
    share.round() as u64
}

/// Layer by layer, what they have in common.
#[derive(Default)]
pub(super) struct Heat {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<HeatRow>,
}

/// One layer and the others.
pub(super) struct HeatRow {
    pub(super) name: String,
    pub(super) cells: Vec<HeatCell>,
}

/// Two layers: how warm the cell is in per cent, and the bytes in words.
pub(super) struct HeatCell {
    pub(super) part: u64,
    pub(crate) words: String,
}

impl Heat {
    /// The map of the layers that occur first in the list, which has the largest first.
    pub(super) fn of(pairs: &[LayerPair]) -> Self {
        let mut met = HashSet::new();
        let layers = pairs.iter().flat_map(|pair| &pair.layers);
        let layers = layers.filter(|layer| met.insert(*layer));
        let mut columns: Vec<String> = layers.cloned().collect();
        let mut title = "Duplicates between layers".to_owned();
        if columns.len() > MOST_LAYERS {
            title = format!("{title}, the first {MOST_LAYERS} of {}", columns.len());
            columns.truncate(MOST_LAYERS);
        }
        let most = pairs
            .iter()
            .map(|pair| pair.duplicate_bytes)
            .max()
            .unwrap_or(0)
            .max(1);
        let cell = |one: &String, other: &String| {
            let both = |pair: &&LayerPair| {
                let [first, second] = &pair.layers;
                (first == one && second == other) || (first == other && second == one)
            };
            let shared: u64 = pairs
                .iter()
                .filter(both)
                .map(|pair| pair.duplicate_bytes)
                .sum();
            HeatCell {
                part: (u128::from(shared) * 80 / u128::from(most))
                    .try_into()
                    .unwrap_or(80),
                words: if shared == 0 {
                    String::new()
                } else {
                    Bytes(shared).to_string()
                },
            }
        };
        let rows = columns.iter().map(|one| HeatRow {
            name: one.clone(),
            cells: columns.iter().map(|other| cell(one, other)).collect(),
        });
        Self {
            title,
            rows: rows.collect(),
            columns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heat_map_that_is_cut_says_of_how_many() {
        let pair = |number: u64| LayerPair {
            layers: [format!("layer {number}"), "base".to_owned()],
            images: Vec::new(),
            duplicate_bytes: 4096 * (100 - number),
        };
        let few = Heat::of(&[pair(1), pair(2)]);
        assert_eq!(few.title, "Duplicates between layers");
        assert_eq!(few.columns, ["layer 1", "base", "layer 2"]);
        let pairs: Vec<LayerPair> = (0..20).map(pair).collect();
        let many = Heat::of(&pairs);
        assert_eq!(many.title, "Duplicates between layers, the first 16 of 21");
        assert_eq!((many.columns.len(), many.rows.len()), (16, 16));
    }
}

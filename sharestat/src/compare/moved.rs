//! Which files moved between two reports: what became of each, in which layer it is, and
//! with whom it shares.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    change::Change,
    diff::{GroupRow, group_rows},
    lists,
};
use crate::report::{Report, document::FileEntry};

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It had no duplicates, or was not cached.
    Duplicate,
    /// It has none any more, or is not cached.
    Single,
    /// It has more.
    Grew,
    /// It has less.
    Shrank,
    /// One of the reports does not list it.
    Unknown,
}

impl Became {
    /// The words in tables.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Duplicate => "became duplicate",
            Self::Single => "no longer duplicate",
            Self::Grew => "more",
            Self::Shrank => "less",
            Self::Unknown => "listed on one side only",
        }
    }
}

/// A file that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileRow {
    /// What became of it.
    pub became: Became,
    /// The name of its layer in the new report, or in the base when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The files it shares most with, in the new report, or in the base when it is gone.
    pub partners: Vec<Partner>,
    /// Its name and numbers.
    #[serde(flatten)]
    pub row: GroupRow,
}

/// A file with the same contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Partner {
    /// Its path.
    pub path: String,
    /// The name of its layer, where the report lists the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Pages of the first file whose content this one also holds.
    pub shared_bytes: u64,
}

/// The files whose numbers changed, or are unknown on one side.
pub(super) fn file_rows(base: &Report, new: &Report, repeats: &[Report]) -> Vec<FileRow> {
    let (before, after) = (entries(base), entries(new));
    group_rows(base, new, repeats, lists::files)
        .into_iter()
        .filter(|row| row.saving_share.is_worth_a_line() || row.duplicate.is_worth_a_line())
        .map(|row| {
            let name = row.name.as_str();
            // A file that is gone, or shares nothing any more, is explained by what it was.
            let sides = [&after, &before];
            let sharing = sides.iter().find_map(|side| {
                let file = side.get(name)?;
                (!file.partners.is_empty()).then(|| partners(file, side))
            });
            let listed = sides.iter().find_map(|side| side.get(name));
            FileRow {
                became: became(&row.duplicate),
                layer: listed.and_then(|file| file.layer.clone()),
                partners: sharing.unwrap_or_default(),
                row,
            }
        })
        .collect()
}

fn became(duplicate: &Change) -> Became {
    match (duplicate.base_bytes, duplicate.new_bytes) {
        (None, _) | (_, None) => Became::Unknown,
        (Some(0), Some(1..)) => Became::Duplicate,
        (Some(1..), Some(0)) => Became::Single,
        (Some(base), Some(new)) if new >= base => Became::Grew,
        _ => Became::Shrank,
    }
}

/// The files of a report by the names that its list gives them.
fn entries(report: &Report) -> HashMap<String, &FileEntry> {
    let names = lists::files(report).names;
    names.into_iter().zip(&report.files).collect()
}

/// The partners of a file, with their layers where the report lists them.
fn partners(file: &FileEntry, side: &HashMap<String, &FileEntry>) -> Vec<Partner> {
    let partners = file.partners.iter().map(|partner| Partner {
        path: partner.path.clone(),
        layer: side
            .get(&partner.path)
            .and_then(|listed| listed.layer.clone()),
        shared_bytes: partner.shared_bytes,
    });
    partners.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{
        diff::Diff,
        sample::{self, grown},
    };

    #[test]
    fn a_file_that_became_duplicate_explains_the_growth() {
        let diff = Diff::new(&sample::report(), &grown(), &[]);
        let duplicate = diff.totals.iter().find(|row| row.name == "duplicate");
        let duplicate = duplicate.expect("it is a total").change;
        assert_eq!(duplicate.change_bytes, Some(8192));
        let new = diff
            .files
            .iter()
            .find(|file| file.row.name == "/srv/c/new.so");
        let new = new.expect("the file is listed");
        assert_eq!(new.became, Became::Duplicate);
        let partners = new.partners.iter();
        let partners: Vec<_> = partners
            .map(|partner| (partner.path.as_str(), partner.shared_bytes))
            .collect();
        let expected = ["/srv/a/libpython3.so", "/srv/b/libpython3.so"];
        assert_eq!(partners, expected.map(|path| (path, 8192)));
        let moved: i64 = diff
            .files
            .iter()
            .filter_map(|file| file.row.saving_share.change_bytes)
            .sum();
        assert!((moved - 8192).abs() < 8, "{moved} of 8192 are explained");
    }

    #[test]
    fn a_file_and_its_partners_name_their_layers_and_a_gone_file_those_that_it_had() {
        let layered = |mut report: Report| {
            for file in &mut report.files {
                let letter = file.path.split('/').nth(2).unwrap_or("?");
                file.layer = (letter != "b").then(|| format!("layer {letter}"));
            }
            report
        };
        let (base, new) = (layered(sample::report()), layered(grown()));
        let layers = |diff: &Diff| {
            let file = diff
                .files
                .iter()
                .find(|file| file.row.name == "/srv/c/new.so");
            let file = file.expect("the file is listed");
            let partners = file.partners.iter().map(|partner| partner.layer.clone());
            (file.layer.clone(), partners.collect::<Vec<_>>())
        };
        let expected = (
            Some("layer c".to_owned()),
            vec![Some("layer a".to_owned()), None],
        );
        assert_eq!(layers(&Diff::new(&base, &new, &[])), expected);
        assert_eq!(layers(&Diff::new(&new, &base, &[])), expected);
    }
}

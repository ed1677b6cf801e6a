//! What changed between two reports, as the document `sharestat.diff/v1`.
//!
//! Sums and names are compared whatever the seeds; contents are [`super::contents`].

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    change::Change,
    contents::ContentChange,
    lists::{self, List, Numbers},
    moved::{FileRow, file_rows},
    notes::notes,
};
use crate::report::{
    Report,
    document::{Coverage, Tool},
};

/// The value of [`Diff::schema`].
pub const SCHEMA: &str = "sharestat.diff/v1";

/// Two reports side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// Always `sharestat.diff/v1`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// What made it.
    pub tool: Tool,
    /// The report compared with.
    pub base: Side,
    /// The report compared.
    pub new: Side,
    /// Repeated measurements of the base, from which noise is known.
    pub repeats: usize,
    /// The sums of the host.
    pub totals: Vec<Row>,
    /// Duplicate bytes by scope.
    pub scopes: Vec<Row>,
    /// Savings by mechanism.
    pub mechanisms: Vec<Row>,
    /// By filesystem, by its part of the duplicates.
    pub filesystems: Vec<GroupRow>,
    /// By layer.
    pub layers: Vec<GroupRow>,
    /// By image.
    pub images: Vec<GroupRow>,
    /// By container.
    pub containers: Vec<GroupRow>,
    /// By memory cgroup.
    pub memcgs: Vec<GroupRow>,
    /// By file: those whose numbers changed or are unknown on one side.
    pub files: Vec<FileRow>,
    /// Which contents came and went, of two measurements with pages and one seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<ContentChange>,
    /// What limits the comparison.
    pub notes: Vec<String>,
}

/// One of the two reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// The host.
    pub host: String,
    /// The engine.
    pub engine: String,
    /// When it was measured (RFC 3339).
    pub started_at: String,
    /// The seed's id; contents could be compared if it were equal.
    pub seed_id: String,
    /// What the numbers cover.
    pub coverage: Coverage,
}

/// A named number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// Before and after.
    #[serde(flatten)]
    pub change: Change,
}

/// A filesystem, layer, image, container or memory cgroup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupRow {
    /// Its name.
    pub name: String,
    /// Its part of the duplicate bytes; the parts add up.
    pub saving_share: Change,
    /// Pages whose content has any other copy.
    pub duplicate: Change,
    /// In the page cache.
    pub resident: Change,
}

impl Diff {
    /// Compares two reports. `repeats` are further measurements of what `base` measured.
    #[must_use]
    pub fn new(base: &Report, new: &Report, repeats: &[Report]) -> Self {
        let groups = |of: fn(&Report) -> List| group_rows(base, new, repeats, of);
        Self {
            schema: SCHEMA.to_owned(),
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            base: side(base),
            new: side(new),
            repeats: repeats.len(),
            totals: named(base, new, repeats, lists::totals),
            scopes: named(base, new, repeats, lists::scopes),
            mechanisms: named(base, new, repeats, lists::mechanisms),
            filesystems: groups(lists::filesystems),
            layers: groups(|report| lists::groups(&report.layers)),
            images: groups(|report| lists::groups(&report.images)),
            containers: groups(|report| lists::groups(&report.containers)),
            memcgs: groups(|report| lists::groups(&report.memcgs)),
            files: file_rows(base, new, repeats),
            contents: None,
            notes: notes(base, new),
        }
    }
}

fn side(report: &Report) -> Side {
    Side {
        host: report.host.name.clone(),
        engine: report.measurement.engine.clone(),
        started_at: report.measurement.started_at.clone(),
        seed_id: report.measurement.seed_id.clone(),
        coverage: report.coverage.clone(),
    }
}

/// Rows of lists that are always whole: what one report lacks is nothing there.
fn named(
    base: &Report,
    new: &Report,
    repeats: &[Report],
    of: fn(&Report) -> Vec<(&str, u64)>,
) -> Vec<Row> {
    let (before, after) = (of(base), of(new));
    let again: Vec<_> = repeats.iter().map(of).collect();
    let value = |rows: &[(&str, u64)], name: &str| {
        let row = rows.iter().find(|row| row.0 == name);
        Some(row.map_or(0, |row| row.1))
    };
    let only_before = before
        .iter()
        .filter(|row| after.iter().all(|other| other.0 != row.0));
    after
        .iter()
        .chain(only_before)
        .map(|(name, _)| Row {
            name: (*name).to_owned(),
            change: Change::new(
                value(&before, name),
                value(&after, name),
                &again
                    .iter()
                    .map(|rows| value(rows, name))
                    .collect::<Vec<_>>(),
            ),
        })
        .collect()
}

/// Rows of one list, those that moved most first, then by name.
pub(super) fn group_rows(
    base: &Report,
    new: &Report,
    repeats: &[Report],
    of: fn(&Report) -> List,
) -> Vec<GroupRow> {
    let (before, after) = (of(base), of(new));
    let again: Vec<List> = repeats.iter().map(of).collect();
    let mut rows: Vec<GroupRow> = before
        .names
        .iter()
        .chain(after.names.iter().filter(|name| !before.has(name)))
        .map(|name| {
            let change = |number: fn(Numbers) -> u64| {
                let of = |list: &List| list.get(name).map(number);
                let repeats: Vec<_> = again.iter().map(of).collect();
                Change::new(of(&before), of(&after), &repeats)
            };
            GroupRow {
                name: name.clone(),
                saving_share: change(|numbers| numbers.saving_share),
                duplicate: change(|numbers| numbers.duplicate),
                resident: change(|numbers| numbers.resident),
            }
        })
        .collect();
    rows.sort_by(|one, other| {
        let key = |row: &GroupRow| Reverse(row.saving_share.distance());
        key(one)
            .cmp(&key(other))
            .then_with(|| one.name.cmp(&other.name))
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{
        moved::Became,
        sample::{self, grown},
    };

    #[test]
    fn a_report_and_itself_differ_in_nothing() {
        let report = sample::report();
        let diff = Diff::new(&report, &report, &[]);
        let all = diff
            .totals
            .iter()
            .chain(&diff.scopes)
            .chain(&diff.mechanisms);
        assert!(all.clone().count() > 10);
        assert!(all.clone().all(|row| row.change.change_bytes == Some(0)));
        assert_eq!(diff.files, []);
        assert!(diff.notes.iter().any(|note| note.contains("partial")));
    }

    #[test]
    fn a_cut_list_makes_numbers_unknown_and_says_so() {
        let (mut base, new) = (sample::report(), grown());
        base.files.truncate(1);
        let diff = Diff::new(&base, &new, &[]);
        let gone = diff
            .files
            .iter()
            .find(|file| file.row.name == "/srv/b/libpython3.so");
        let gone = gone.expect("it is listed");
        assert_eq!(gone.became, Became::Unknown);
        assert_eq!(gone.row.duplicate.base_bytes, None);
        assert!(diff.notes.iter().any(|note| note.contains("--top 0")));
    }

    #[test]
    fn repeats_of_the_base_tell_noise() {
        let base = sample::report();
        let diff = Diff::new(&base, &grown(), &[grown()]);
        let duplicate = diff.totals.iter().find(|row| row.name == "duplicate");
        assert!(duplicate.expect("it is a total").change.is_noise());
        assert_eq!(diff.files, []);
    }
}

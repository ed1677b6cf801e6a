//! The lists of a report as rows with a name and numbers, so that two reports can be
//! laid side by side whatever the list is.

use std::collections::HashMap;

use super::check::rule::Kind;
use crate::report::{
    Report,
    document::{FileEntry, FilesystemEntry, Group},
};

/// The numbers of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Numbers {
    pub(super) resident: u64,
    pub(super) duplicate: u64,
    /// Rounded to bytes.
    pub(super) saving_share: u64,
}

/// The rows of one list, and whether those it lacks are known to hold nothing.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Names in the order of the report; a name that occurs again gets a number.
    pub(super) names: Vec<String>,
    rows: HashMap<String, Numbers>,
    pub(super) whole: bool,
}

impl List {
    fn new(rows: impl Iterator<Item = (String, Numbers)>, whole: bool) -> Self {
        let mut list = Self {
            whole,
            ..Self::default()
        };
        let mut times: HashMap<String, u32> = HashMap::new();
        for (name, numbers) in rows {
            let seen = times.entry(name.clone()).or_default();
            *seen += 1;
            let name = if *seen == 1 {
                name
            } else {
                format!("{name} #{seen}")
            };
            list.rows.insert(name.clone(), numbers);
            list.names.push(name);
        }
        list
    }

    /// The numbers of a row: nothing when a whole list lacks it, unknown when a cut one does.
    pub(super) fn get(&self, name: &str) -> Option<Numbers> {
        self.rows
            .get(name)
            .copied()
            .or_else(|| self.whole.then(Numbers::default))
    }

    /// Whether the list shows the row.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rows.contains_key(name)
    }
}

/// The list that a rule looks at. Rows of the whole host count what was hashed as
/// resident, so that their percentages are of it.
pub(super) fn of_kind(report: &Report, kind: Kind) -> List {
    match kind {
        Kind::Total => sums(report, totals(report)),
        Kind::Scope => sums(report, scopes(report)),
        Kind::Mechanism => sums(report, mechanisms(report)),
        Kind::Filesystem => filesystems(report),
        Kind::Layer => groups(&report.layers),
        Kind::Image => groups(&report.images),
        Kind::Container => groups(&report.containers),
        Kind::Memcg => groups(&report.memcgs),
        Kind::File => files(report),
    }
}

fn sums(report: &Report, rows: Vec<(&str, u64)>) -> List {
    let hashed = report
        .totals
        .distinct_bytes
        .saturating_add(report.totals.duplicate_bytes);
    let rows = rows.into_iter().map(|(name, bytes)| {
        let numbers = Numbers {
            resident: hashed,
            duplicate: bytes,
            saving_share: bytes,
        };
        (name.to_owned(), numbers)
    });
    List::new(rows, true)
}

/// The sums of the host.
pub(super) fn totals(report: &Report) -> Vec<(&str, u64)> {
    let totals = &report.totals;
    vec![
        ("resident", totals.resident_bytes),
        ("eligible", totals.eligible_bytes),
        ("distinct", totals.distinct_bytes),
        ("duplicate", totals.duplicate_bytes),
        ("zero", totals.zero_bytes),
    ]
}

/// Duplicates by scope.
pub(super) fn scopes(report: &Report) -> Vec<(&str, u64)> {
    let scopes = report.scopes.iter();
    scopes
        .map(|row| (row.name.as_str(), row.duplicate_bytes))
        .collect()
}

/// Savings by mechanism.
pub(super) fn mechanisms(report: &Report) -> Vec<(&str, u64)> {
    let mechanisms = report.mechanisms.iter();
    mechanisms
        .map(|row| (row.name.as_str(), row.saving_bytes))
        .collect()
}

/// The list of groups.
pub(super) fn groups(groups: &[Group]) -> List {
    let rows = groups.iter().map(|group| {
        (
            group.name.clone(),
            Numbers {
                resident: group.resident_bytes,
                duplicate: group.duplicate_bytes,
                saving_share: whole_bytes(group.saving_share_bytes),
            },
        )
    });
    List::new(rows, true)
}

/// The list of filesystems.
pub(super) fn filesystems(report: &Report) -> List {
    let rows = report.filesystems.iter().map(|entry: &FilesystemEntry| {
        (
            entry.name.clone(),
            Numbers {
                resident: entry.resident_bytes,
                duplicate: entry.duplicate_bytes,
                saving_share: whole_bytes(entry.saving_share_bytes),
            },
        )
    });
    List::new(rows, true)
}

/// The list of files. It is whole when its files hold every resident page.
pub(super) fn files(report: &Report) -> List {
    let held: u128 = report
        .files
        .iter()
        .map(|file| u128::from(file.resident_bytes))
        .sum();
    let rows = report.files.iter().map(|file: &FileEntry| {
        (
            file.path.clone(),
            Numbers {
                resident: file.resident_bytes,
                duplicate: file.duplicate_bytes,
                saving_share: whole_bytes(file.saving_share_bytes),
            },
        )
    });
    List::new(rows, held >= u128::from(report.totals.resident_bytes))
}

/// A share as whole bytes; what is no number of bytes is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
fn whole_bytes(share: f64) -> u64 {
    share.round() as u64
}

//! Which contents came and went between two measurements whose hashes mean the same.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::{index::ContentIndex, units::Bytes},
    snapshot::file::Opened,
};

/// Contents of two measurements with one seed, zero pages among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentChange {
    /// One copy of each content that both have.
    pub kept_bytes: u64,
    /// One copy of each content that only the base has.
    pub gone_bytes: u64,
    /// One copy of each content that only the new measurement has.
    pub came_bytes: u64,
    /// The new duplicates of contents that both have.
    pub duplicate_of_kept_bytes: u64,
    /// The new duplicates of contents that only the new measurement has.
    pub duplicate_of_came_bytes: u64,
}

/// Why contents are not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotComparable {
    /// A report holds sums, no hashes.
    #[error(
        "contents are not compared: a report holds none; compare tables of pages ('sharestat scan -o FILE.parquet') or recordings, made with the same '--seed NUMBER'"
    )]
    NoPages,
    /// Hashes under different seeds.
    #[error(
        "contents are not compared: the measurements have different seeds ('{base}' and '{new}'); make both with the same '--seed NUMBER'; sums and names can be compared"
    )]
    Seeds {
        /// The seed's id of the base.
        base: String,
        /// And of the new measurement.
        new: String,
    },
}

/// Compares the contents of two measurements.
///
/// # Errors
/// When one has none, or they were hashed with different seeds.
pub fn compared(base: &Opened, new: &Opened) -> Result<ContentChange, NotComparable> {
    let (Some(before), Some(after)) = (&base.contents, &new.contents) else {
        return Err(NotComparable::NoPages);
    };
    let [one, other] = [base, new].map(|opened| &opened.report.measurement.seed_id);
    if one != other {
        return Err(NotComparable::Seeds {
            base: one.clone(),
            new: other.clone(),
        });
    }
    Ok(change(before, after))
}

fn change(before: &ContentIndex, after: &ContentIndex) -> ContentChange {
    let page = Bytes::of_pages(1).0;
    let mut change = ContentChange::default();
    for (content, copies) in after.contents() {
        let more = Bytes::of_pages(u64::from(copies.saturating_sub(1))).0;
        if before.copies(content) > 0 {
            change.kept_bytes += page;
            change.duplicate_of_kept_bytes += more;
        } else {
            change.came_bytes += page;
            change.duplicate_of_came_bytes += more;
        }
    }
    let gone = before.contents();
    let gone = gone.filter(|(content, _)| after.copies(*content) == 0);
    change.gone_bytes = page * gone.count() as u64;
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::sample;

    fn opened(report: crate::report::Report, index: Option<ContentIndex>) -> Opened {
        Opened {
            report,
            contents: index,
        }
    }

    #[test]
    fn contents_add_up_to_both_sides() {
        let base = sample::single::measurement().index;
        let new = sample::grown_measurement().index;
        let (before, after) = (base.totals(), new.totals());
        let change = compared(
            &opened(sample::report(), Some(base)),
            &opened(sample::grown(), Some(new)),
        )
        .expect("one seed");
        let pages = |bytes: u64| bytes / 4096;
        assert_eq!(
            pages(change.kept_bytes + change.gone_bytes),
            before.distinct
        );
        assert_eq!(pages(change.kept_bytes + change.came_bytes), after.distinct);
        let duplicate = change.duplicate_of_kept_bytes + change.duplicate_of_came_bytes;
        assert_eq!(pages(duplicate), after.duplicate);
        assert_eq!(
            (change.came_bytes, change.duplicate_of_came_bytes),
            (8192, 4096)
        );
    }

    #[test]
    fn other_seeds_are_refused_with_the_remedy_and_reports_have_no_contents() {
        let index = || Some(sample::single::measurement().index);
        let base = opened(sample::report(), index());
        let mut new = opened(sample::report(), index());
        new.report.measurement.seed_id = "0ther".to_owned();
        let why = compared(&base, &new).expect_err("other seeds").to_string();
        assert!(
            why.contains("'5eed' and '0ther'") && why.contains("--seed"),
            "{why}"
        );
        new.contents = None;
        assert_eq!(compared(&base, &new), Err(NotComparable::NoPages));
    }
}

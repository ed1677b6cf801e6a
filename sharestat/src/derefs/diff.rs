//! What differs between two documents: two kernels, or two workloads. Sites are paired by
//! id, then by function and kind, because other instructions around it give the same
//! source another id.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use schemars::JsonSchema;
use serde::Serialize;

use super::document::{Document, SiteRow, percent};

/// Name of the schema.
pub const SCHEMA: &str = "sharestat.derefs-diff/v1";

/// The difference.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Kernel of the first document.
    pub before_kernel: String,
    /// Kernel of the second.
    pub after_kernel: String,
    /// Sites of the first alone.
    pub only_before: Vec<SiteRow>,
    /// Sites of the second alone.
    pub only_after: Vec<SiteRow>,
    /// Sites of both in another context class.
    pub class_changed: Vec<Change>,
    /// Sites of both in the same class.
    pub same: usize,
    /// What limits the comparison.
    pub notes: Vec<String>,
}

/// A site whose context class changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// The function.
    pub function: String,
    /// Kind of access.
    pub kind: String,
    /// Class in the first document.
    pub before: String,
    /// Class in the second.
    pub after: String,
}

/// Compares two documents.
#[must_use]
pub fn difference(before: &Document, after: &Document) -> Difference {
    let mut rest: Vec<Option<&SiteRow>> = after.sites.iter().map(Some).collect();
    let mut pairs: Vec<(&SiteRow, &SiteRow)> = Vec::new();
    let mut unpaired: Vec<&SiteRow> = before.sites.iter().collect();
    let rules: [fn(&SiteRow, &SiteRow) -> bool; 2] = [
        |a, b| a.id == b.id,
        |a, b| a.function == b.function && a.kind == b.kind,
    ];
    for same in rules {
        unpaired.retain(|site| {
            let found = rest
                .iter_mut()
                .find(|other| other.is_some_and(|other| same(site, other)));
            match found.and_then(Option::take) {
                Some(other) => {
                    pairs.push((site, other));
                    false
                }
                None => true,
            }
        });
    }
    let class_changed: Vec<Change> = pairs
        .iter()
        .filter(|(a, b)| a.class != b.class)
        .map(|(a, b)| Change {
            function: b.function.clone(),
            kind: b.kind.clone(),
            before: a.class.clone(),
            after: b.class.clone(),
        })
        .collect();
    Difference {
        schema: SCHEMA,
        before_kernel: before.host.kernel.clone(),
        after_kernel: after.host.kernel.clone(),
        same: pairs.len() - class_changed.len(),
        only_before: unpaired.into_iter().cloned().collect(),
        only_after: rest.into_iter().flatten().cloned().collect(),
        class_changed,
        notes: notes(before, after),
    }
}

fn notes(before: &Document, after: &Document) -> Vec<String> {
    let mut notes = vec![
        "a site that one side lacks may only not have been sampled there, or have been inlined into \
         another function"
            .to_owned(),
    ];
    let ran = |document: &Document| -> BTreeMap<String, bool> {
        document
            .steps
            .iter()
            .map(|step| (step.name.clone(), step.ran))
            .collect()
    };
    let (one, two) = (ran(before), ran(after));
    let different: Vec<&str> = one
        .iter()
        .filter(|(name, ran)| two.get(*name) != Some(ran))
        .map(|(name, _)| name.as_str())
        .chain(
            two.keys()
                .filter(|name| !one.contains_key(*name))
                .map(String::as_str),
        )
        .collect();
    if !different.is_empty() {
        notes.push(format!(
            "steps that ran on one side only: {}",
            different.join(", ")
        ));
    }
    notes
}

impl Difference {
    /// Writes it for people.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "{} sites in both, in the same context class",
            self.same
        )?;
        for (kernel, sites, which) in [
            (&self.before_kernel, &self.only_before, "first"),
            (&self.after_kernel, &self.only_after, "second"),
        ] {
            writeln!(
                out,
                "\nonly in the {which} (kernel {kernel}): {}",
                sites.len()
            )?;
            for site in sites {
                writeln!(
                    out,
                    "  {:<44} {:<9} {:<9} {:>7} hits, {:.0} % shareable",
                    site.place(),
                    site.kind,
                    site.class,
                    site.hits,
                    percent(site.shareable_hits, site.hits)
                )?;
            }
        }
        writeln!(
            out,
            "\nin another context class: {}",
            self.class_changed.len()
        )?;
        for change in &self.class_changed {
            writeln!(
                out,
                "  {:<44} {:<9} {} -> {}",
                change.function, change.kind, change.before, change.after
            )?;
        }
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{document, site};
    use super::*;

    #[test]
    fn equal_documents_differ_in_nothing() {
        let one = document();
        let difference = difference(&one, &one);
        assert_eq!(difference.same, 4);
        assert!(difference.only_before.is_empty() && difference.only_after.is_empty());
    }

    #[test]
    fn a_site_is_found_again_under_another_id_and_a_new_one_is_named() {
        let (before, mut after) = (document(), document());
        after.sites[0].id = "next_uptodate_folio:load:ffffffff".to_owned();
        after.sites[1].class = "caller".to_owned();
        after.sites.remove(3);
        after
            .sites
            .push(site("migrate_folio", "mm", "load", "none"));
        after.steps.clear();
        let difference = difference(&before, &after);
        let names = |sites: &[SiteRow]| -> Vec<String> {
            sites.iter().map(|site| site.function.clone()).collect()
        };
        assert_eq!(names(&difference.only_before), ["ext4_release_folio"]);
        assert_eq!(names(&difference.only_after), ["migrate_folio"]);
        assert_eq!(difference.class_changed.len(), 1);
        assert!(difference.notes.iter().any(|note| note.contains("read")));
        let mut text = Vec::new();
        difference.write_text(&mut text).expect("it is written");
        assert!(String::from_utf8_lossy(&text).contains("none -> caller"));
    }
}

//! What limits a comparison: sentences about coverage, engines, hosts and cut lists.

use super::lists;
use crate::report::Report;

/// The sentences for these two reports.
pub(super) fn notes(base: &Report, new: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    for (which, report) in [("base", base), ("new", new)] {
        notes.extend(partial(which, report));
        if !lists::files(report).whole {
            notes.push(format!(
                "the {which} report lists only some of its files: measure with '--top 0' to compare them all"
            ));
        }
    }
    let (before, after) = (hashed_percent(base), hashed_percent(new));
    if (before - after).abs() >= 1.0 {
        notes.push(format!(
            "{before:.1} % of the page cache was hashed in the base, {after:.1} % in the new report: part of the change is coverage"
        ));
    }
    let differs = [
        ("engine", &base.measurement.engine, &new.measurement.engine),
        ("kernel", &base.host.kernel, &new.host.kernel),
        ("host", &base.host.name, &new.host.name),
    ];
    for (what, before, after) in differs {
        if before != after {
            notes.push(format!("the {what} differs: '{before}' and '{after}'"));
        }
    }
    notes
}

/// The sentence for a measurement that did not see everything.
pub(super) fn partial(which: &str, report: &Report) -> Option<String> {
    (!report.coverage.complete).then(|| {
        format!("the {which} measurement is partial: the page cache may hold more than it shows")
    })
}

/// The part of the resident pages that was hashed; all of nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "per cent need no more than 53 bits"
)]
fn hashed_percent(report: &Report) -> f64 {
    let coverage = &report.coverage;
    if coverage.resident_pages == 0 {
        return 100.0;
    }
    coverage.hashed_pages as f64 * 100.0 / coverage.resident_pages as f64
}

use super::*;
use crate::{compare::sample, model::index::ContentIndex};

fn judged(rules: &[&str], with_base: bool) -> Vec<(Verdict, String)> {
    let rules: Vec<Rule> = rules
        .iter()
        .map(|rule| Rule::parse(rule).expect("the rule is valid"))
        .collect();
    let base = sample::report();
    let check = Check::new(&rules, with_base.then_some(&base), &sample::grown(), &[]);
    check
        .results
        .into_iter()
        .map(|result| (result.verdict, result.reason))
        .collect()
}

fn verdict(rule: &str) -> Verdict {
    judged(&[rule], true)[0].0
}

// Duplicates grow from 3 pages to 5.
#[test]
fn only_both_limits_together_trip() {
    assert_eq!(verdict("duplicate,percent=5,bytes=4096"), Verdict::Fail);
    assert_eq!(verdict("duplicate,percent=5,bytes=8192"), Verdict::Pass);
    assert_eq!(verdict("duplicate,percent=70,bytes=4096"), Verdict::Pass);
    assert_eq!(verdict("duplicate,bytes=8191"), Verdict::Fail);
    assert_eq!(verdict("zero,percent=0,bytes=0"), Verdict::Pass);
}

#[test]
fn sizes_are_limited_with_and_without_a_base() {
    assert_eq!(verdict("duplicate,max_bytes=20479"), Verdict::Fail);
    assert_eq!(verdict("duplicate,max_bytes=20480"), Verdict::Pass);
    assert_eq!(
        judged(&["duplicate,max_bytes=1,max_percent=99"], false)[0].0,
        Verdict::Pass
    );
    let growth = &judged(&["duplicate,percent=1,bytes=1"], false)[0];
    assert_eq!(growth.0, Verdict::Skip);
    assert!(growth.1.contains("no base"), "{growth:?}");
}

#[test]
fn a_pattern_judges_every_row_and_new_rows_grow_from_nothing() {
    let files = judged(&["file:/srv/*,percent=5,bytes=4096"], true);
    assert_eq!(files.len(), 3);
    let failed = files.iter().filter(|file| file.0 == Verdict::Fail);
    let reasons: Vec<_> = failed.map(|file| file.1.as_str()).collect();
    assert_eq!(reasons, ["8.0 KiB more than nothing, over 5 % and 4.0 KiB"]);
    assert_eq!(verdict("image:nginx,bytes=1"), Verdict::Skip);
}

#[test]
fn growth_within_the_noise_passes() {
    let rule = Rule::parse("duplicate,bytes=1").expect("valid");
    let base = sample::report();
    let again = [sample::grown()];
    let check = Check::new(&[rule], Some(&base), &sample::grown(), &again);
    assert_eq!(check.verdict, Verdict::Pass);
    assert!(check.results[0].reason.contains("noise"));
}

#[test]
fn nothing_judged_is_no_pass() {
    let rule = Rule::parse("image:nginx,bytes=1").expect("valid");
    let report = sample::report();
    let check = Check::new(&[rule], Some(&report), &report, &[]);
    assert_eq!(check.verdict, Verdict::Skip);
}

/// A report whose engine saw nothing: of an empty directory, or of a host that was refused.
fn empty() -> Report {
    let mut measurement = sample::single::measurement();
    measurement.index = ContentIndex::new(sample::single::ZERO);
    measurement.identity.files.clear();
    Report::new(&measurement, &sample::single::host(), 0)
}

#[test]
fn nothing_measured_passes_nothing() {
    let rules = ["duplicate,percent=5,bytes=1", "duplicate,max_bytes=1"];
    let rules = rules.map(|rule| Rule::parse(rule).expect("valid"));
    let (full, nothing) = (sample::grown(), empty());
    assert_eq!(nothing.coverage.hashed_pages, 0);
    let verdicts = |base: Option<&Report>, new: &Report, again: &[Report]| {
        let check = Check::new(&rules, base, new, again);
        let results = check.results.iter().map(|result| result.verdict);
        (check.verdict, results.collect::<Vec<_>>())
    };
    let skipped = (Verdict::Skip, vec![Verdict::Skip; 2]);
    assert_eq!(verdicts(Some(&full), &nothing, &[]), skipped);
    assert_eq!(verdicts(None, &nothing, &[]), skipped);
    // Nothing to compare with is no growth, and no noise.
    let (_, of_nothing) = verdicts(Some(&nothing), &full, &[]);
    assert_eq!(of_nothing, [Verdict::Skip, Verdict::Fail]);
    let (_, again) = verdicts(Some(&sample::report()), &full, &[nothing]);
    assert_eq!(again, [Verdict::Fail; 2]);
}

#[test]
fn a_size_that_is_kept_does_not_hide_growth_that_was_not_judged() {
    let rule = "duplicate,percent=1,bytes=1,max_bytes=1MiB";
    let (verdict, why) = judged(&[rule], false).remove(0);
    assert_eq!(verdict, Verdict::Skip);
    assert!(
        why.contains("is not more than") && why.contains("no base"),
        "{why}"
    );
    let rule = "duplicate,percent=1,bytes=1,max_bytes=1";
    assert_eq!(judged(&[rule], false)[0].0, Verdict::Fail);
}

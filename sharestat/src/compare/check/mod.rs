//! Whether a report keeps the rules, as the document `sharestat.check/v1`.
//!
//! A rule on growth fails when the new report exceeds both of its limits, per cent and
//! bytes: a large percentage of little, or a little of much, is no regression.

pub mod config;
pub mod rule;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::rule::{Limits, Rule};
use super::{
    change::Change,
    lists::{self, List, Numbers},
    notes::{self, notes},
};
use crate::{
    model::units::Bytes,
    report::{Report, document::Tool},
};

/// The value of [`Check::schema`].
pub const SCHEMA: &str = "sharestat.check/v1";

/// How a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its limits are kept.
    Pass,
    /// Its limits are exceeded.
    Fail,
    /// It could not be judged.
    Skip,
}

impl Verdict {
    /// The word in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Skip => "SKIP",
        }
    }
}

/// One rule, judged on one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The name of the rule.
    pub rule: String,
    /// The number it was judged on, for example `mechanism:content`.
    pub measure: String,
    /// How it stands.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
    /// The number before and after.
    #[serde(flatten)]
    pub change: Change,
}

/// All rules, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Always `sharestat.check/v1`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// What made it.
    pub tool: Tool,
    /// `fail` when any rule fails.
    pub verdict: Verdict,
    /// The rules, in order.
    pub results: Vec<Outcome>,
    /// What limits the comparison.
    pub notes: Vec<String>,
}

impl Check {
    /// Judges the rules. Without a base, rules on growth are skipped. `repeats` are further
    /// measurements of what `base` measured: growth within their spread is no growth.
    #[must_use]
    pub fn new(rules: &[Rule], base: Option<&Report>, new: &Report, repeats: &[Report]) -> Self {
        let results: Vec<Outcome> = rules
            .iter()
            .flat_map(|rule| judge(rule, base, new, repeats))
            .collect();
        let any = |verdict| results.iter().any(|result| result.verdict == verdict);
        let verdict = if any(Verdict::Fail) {
            Verdict::Fail
        } else if any(Verdict::Pass) {
            Verdict::Pass
        } else {
            Verdict::Skip
        };
        Self {
            schema: SCHEMA.to_owned(),
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            verdict,
            results,
            notes: base.map_or_else(
                || notes::partial("new", new).into_iter().collect(),
                |base| notes(base, new),
            ),
        }
    }
}

fn judge(rule: &Rule, base: Option<&Report>, new: &Report, repeats: &[Report]) -> Vec<Outcome> {
    let kind = rule.measure.kind;
    let before = base.map(|base| lists::of_kind(base, kind));
    let after = lists::of_kind(new, kind);
    let again: Vec<List> = repeats
        .iter()
        .map(|report| lists::of_kind(report, kind))
        .collect();
    let gone = before.iter().flat_map(|list| &list.names);
    let names = after
        .names
        .iter()
        .chain(gone.filter(|name| !after.has(name)));
    let outcomes: Vec<Outcome> = names
        .filter(|name| rule.measure.matches(name))
        .map(|name| {
            let numbers = after.get(name);
            let value = |list: &List| list.get(name).map(|numbers| numbers.duplicate);
            let change = Change::new(
                before.as_ref().and_then(value),
                value(&after),
                &again.iter().map(value).collect::<Vec<_>>(),
            );
            let (verdict, reason) = decide(rule.limits, &change, numbers, before.is_some());
            Outcome {
                rule: rule.name.clone(),
                measure: rule.measure.of(name),
                verdict,
                reason,
                change,
            }
        })
        .collect();
    if outcomes.is_empty() {
        return vec![absent(rule, &after)];
    }
    outcomes
}

/// The outcome for a rule about rows that neither report has.
fn absent(rule: &Rule, after: &List) -> Outcome {
    let reason = if after.whole {
        "no report has such a row"
    } else {
        "the report lists only some of its files, and none of these"
    };
    Outcome {
        rule: rule.name.clone(),
        measure: rule.measure.to_string(),
        verdict: Verdict::Skip,
        reason: reason.to_owned(),
        change: Change::default(),
    }
}

fn decide(
    limits: Limits,
    change: &Change,
    new: Option<Numbers>,
    has_base: bool,
) -> (Verdict, String) {
    let Some(new) = new else {
        let reason = "the new report lists only some of its files, and not this one";
        return (Verdict::Skip, reason.to_owned());
    };
    let size = limits.on_size().then(|| by_size(limits, new));
    let growth = limits
        .on_growth()
        .then(|| by_growth(limits, change, has_base));
    match (size, growth) {
        (Some((Verdict::Fail, reason)), _) | (_, Some((Verdict::Fail, reason))) => {
            (Verdict::Fail, reason)
        }
        (Some((Verdict::Pass, size)), Some((_, growth))) => {
            (Verdict::Pass, format!("{size}; {growth}"))
        }
        (Some(one), _) | (_, Some(one)) => one,
        (None, None) => (Verdict::Skip, "the rule has no limit".to_owned()),
    }
}

fn by_size(limits: Limits, new: Numbers) -> (Verdict, String) {
    let part = part(new.duplicate, new.resident);
    let over = limits.max_bytes.is_none_or(|most| new.duplicate > most)
        && limits.max_percent.is_none_or(|most| part > most);
    let allowed = allowed(limits.max_percent, limits.max_bytes);
    let size = format!("{} ({part:.1} %)", Bytes(new.duplicate));
    if over {
        (Verdict::Fail, format!("{size} is more than {allowed}"))
    } else {
        (Verdict::Pass, format!("{size} is not more than {allowed}"))
    }
}

fn by_growth(limits: Limits, change: &Change, has_base: bool) -> (Verdict, String) {
    let Some(grown) = change.change_bytes else {
        let reason = if has_base {
            "the base report lists only some of its files, and not this one"
        } else {
            "there is no base to compare with"
        };
        return (Verdict::Skip, reason.to_owned());
    };
    let Ok(grown) = u64::try_from(grown) else {
        let shrunk = Bytes(grown.unsigned_abs());
        return (Verdict::Pass, format!("{shrunk} less"));
    };
    if grown == 0 {
        return (Verdict::Pass, "no change".to_owned());
    }
    // Growth from nothing is more than any percentage.
    let percent = change.change_percent.unwrap_or(f64::INFINITY);
    let allowed = allowed(limits.percent, limits.bytes);
    let words = if percent.is_finite() {
        format!("{} more (+{percent:.1} %)", Bytes(grown))
    } else {
        format!("{} more than nothing", Bytes(grown))
    };
    if change.is_noise() {
        let noise = Bytes(change.noise_bytes.unwrap_or(0));
        return (
            Verdict::Pass,
            format!("{words}, within the noise of {noise}"),
        );
    }
    let over = limits.bytes.is_none_or(|most| grown > most)
        && limits.percent.is_none_or(|most| percent > most);
    if over {
        (Verdict::Fail, format!("{words}, over {allowed}"))
    } else {
        (Verdict::Pass, format!("{words}, not over {allowed}"))
    }
}

fn allowed(percent: Option<f64>, bytes: Option<u64>) -> String {
    match (percent, bytes) {
        (Some(percent), Some(bytes)) => format!("{percent} % and {}", Bytes(bytes)),
        (Some(percent), None) => format!("{percent} %"),
        (None, Some(bytes)) => Bytes(bytes).to_string(),
        (None, None) => "nothing".to_owned(),
    }
}

/// A part in per cent, of nothing none.
fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    Bytes(part).to_f64() * 100.0 / Bytes(whole).to_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::sample;

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
}

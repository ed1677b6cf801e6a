//! Whether a report keeps the rules, as the document `sharestat.check/v1`.
//!
//! A rule on growth fails when the new report exceeds both of its limits, per cent and
//! bytes: a large percentage of little, or a little of much, is no regression.

pub mod config;
mod decide;
pub mod rule;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    decide::{Base, decide},
    rule::Rule,
};
use super::{
    change::Change,
    lists::{self, List},
    notes::{self, notes},
};
use crate::report::{Report, document::Tool};

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
    /// measurements of what `base` measured: growth within their spread is no growth. What
    /// a report that has nothing hashed would pass is skipped.
    #[must_use]
    pub fn new(rules: &[Rule], base: Option<&Report>, new: &Report, repeats: &[Report]) -> Self {
        // A repeat that saw nothing would make everything noise.
        let seeing = repeats.iter().filter(|report| !is_empty(report));
        let seeing: Vec<&Report> = seeing.collect();
        let blind = repeats.len() - seeing.len();
        let results: Vec<Outcome> = rules
            .iter()
            .flat_map(|rule| judge(rule, base, new, &seeing))
            .collect();
        let any = |verdict| results.iter().any(|result| result.verdict == verdict);
        let verdict = if any(Verdict::Fail) {
            Verdict::Fail
        } else if any(Verdict::Pass) {
            Verdict::Pass
        } else {
            Verdict::Skip
        };
        let mut notes = base.map_or_else(
            || notes::partial("new", new).into_iter().collect(),
            |base| notes(base, new),
        );
        if blind > 0 {
            notes.push(format!(
                "{blind} of the repeated measurements hashed nothing, and tell no noise"
            ));
        }
        Self {
            schema: SCHEMA.to_owned(),
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            verdict,
            results,
            notes,
        }
    }
}

/// Whether a report knows no content, so that no number of it means anything.
const fn is_empty(report: &Report) -> bool {
    report.coverage.hashed_pages == 0
}

fn judge(rule: &Rule, base: Option<&Report>, new: &Report, repeats: &[&Report]) -> Vec<Outcome> {
    let kind = rule.measure.kind;
    let before = base.map(|base| lists::of_kind(base, kind));
    let after = lists::of_kind(new, kind);
    let again: Vec<List> = repeats
        .iter()
        .map(|report| lists::of_kind(report, kind))
        .collect();
    let compared = match base {
        None => Base::Missing,
        Some(base) if is_empty(base) => Base::Empty,
        Some(_) => Base::There,
    };
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
            let (verdict, reason) = match decide(rule.limits, &change, numbers, compared) {
                (Verdict::Pass, _) if is_empty(new) => {
                    let reason = "nothing was hashed in the new report: it has nothing to judge";
                    (Verdict::Skip, reason.to_owned())
                }
                decided => decided,
            };
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

#[cfg(test)]
mod tests;

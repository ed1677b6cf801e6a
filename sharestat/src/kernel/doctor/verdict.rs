//! What works and what does not, from the findings alone.

use schemars::JsonSchema;
use serde::Serialize;

use super::finding::{Finding, Lack, State, Use};

/// Whether one use works here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ability {
    /// The use.
    pub ability: Use,
    /// Whether it works.
    pub works: bool,
    /// Names of the findings that stand in its way.
    pub blocked_by: Vec<String>,
    /// Names of the findings that make it weaker than it could be.
    pub limited_by: Vec<String>,
}

/// The end of the examination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verdict {
    /// Each use, in the order of [`Use::ALL`].
    pub abilities: Vec<Ability>,
    /// 0 when `scan` works, 3 when only privileges stand in its way, 4 when the kernel or
    /// this build lacks something, which no privilege would change.
    pub exit_code: u8,
}

impl Verdict {
    pub(super) fn of(findings: &[Finding]) -> Self {
        Self {
            abilities: Use::ALL.map(|ability| judge(ability, findings)).to_vec(),
            exit_code: exit_code(findings),
        }
    }
}

fn needed(ability: Use, findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings
        .iter()
        .filter(move |finding| finding.needed_by.contains(&ability))
}

fn judge(ability: Use, findings: &[Finding]) -> Ability {
    let names = |state: State| -> Vec<String> {
        needed(ability, findings)
            .filter(|finding| finding.state == state)
            .map(|finding| finding.name.clone())
            .collect()
    };
    // What was not tried is the consequence of what is missing: naming both would bury
    // the cause.
    let mut blocked_by = names(State::Missing);
    if blocked_by.is_empty() {
        blocked_by = names(State::NotTried);
    }
    Ability {
        ability,
        works: blocked_by.is_empty(),
        blocked_by,
        limited_by: names(State::Degraded),
    }
}

fn exit_code(findings: &[Finding]) -> u8 {
    let blockers: Vec<_> = needed(Use::Scan, findings)
        .filter(|finding| !finding.carries())
        .collect();
    let lacks = |lack| blockers.iter().any(|finding| finding.lack == Some(lack));
    if blockers.is_empty() {
        0
    } else if lacks(Lack::Privilege) && !lacks(Lack::Support) {
        3
    } else {
        4
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Area, *};

    fn finding(name: &str, state: State, needed_by: &[Use], lack: Option<Lack>) -> Finding {
        let mut finding = Finding::new(Area::Engine, name, state, "").needed_by(needed_by);
        finding.lack = lack;
        finding
    }

    fn ability(verdict: &Verdict, ability: Use) -> &Ability {
        verdict
            .abilities
            .iter()
            .find(|one| one.ability == ability)
            .expect("every use is judged")
    }

    #[test]
    fn exit_codes_tell_privilege_from_support() {
        use Lack::{Privilege, Support};
        use State::{Degraded, Missing, NotNeeded, NotTried, Ok};
        let scan: &[Use] = &[Use::Scan];
        let table: [(&[Finding], u8); 9] = [
            (&[], 0),
            (&[finding("a", Ok, scan, None)], 0),
            (&[finding("a", Degraded, scan, None)], 0),
            (&[finding("a", NotNeeded, scan, None)], 0),
            (&[finding("a", Missing, &[], Some(Support))], 0),
            (&[finding("a", Missing, scan, Some(Privilege))], 3),
            (&[finding("a", Missing, scan, Some(Support))], 4),
            (
                &[
                    finding("a", Missing, scan, Some(Privilege)),
                    finding("b", NotTried, scan, None),
                ],
                3,
            ),
            (
                &[
                    finding("a", Missing, scan, Some(Privilege)),
                    finding("b", Missing, scan, Some(Support)),
                ],
                4,
            ),
        ];
        for (findings, code) in table {
            assert_eq!(Verdict::of(findings).exit_code, code, "{findings:?}");
        }
    }

    #[test]
    fn a_cause_is_named_and_its_consequences_are_not() {
        let verdict = Verdict::of(&[
            finding(
                "CAP_BPF",
                State::Missing,
                &[Use::Scan, Use::Live],
                Some(Lack::Privilege),
            ),
            finding("ring buffer", State::NotTried, &[Use::Scan], None),
            finding("mincore", State::Ok, &[Use::UserEngine], None),
        ]);
        assert_eq!(ability(&verdict, Use::Scan).blocked_by, ["CAP_BPF"]);
        assert!(!ability(&verdict, Use::Live).works);
        assert!(ability(&verdict, Use::UserEngine).works);
    }

    #[test]
    fn a_degraded_need_limits_and_does_not_block() {
        let verdict = Verdict::of(&[finding("hook", State::Degraded, &[Use::Live], None)]);
        let live = ability(&verdict, Use::Live);
        assert!(live.works);
        assert_eq!(live.limited_by, ["hook"]);
    }
}

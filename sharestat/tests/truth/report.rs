//! A report of the binary, read as plain JSON: what must hold in every report, and how
//! it differs from what was expected.

mod mechanisms;

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

use crate::{
    corpus::PAGE,
    expectation::{Expected, ExpectedFile, ExpectedSaving},
    harness::OrFail,
    residency,
    rows::{is_row_of, share, whole},
};

const REASONS: [&str; 6] = [
    "dirty",
    "writeback",
    "not_uptodate",
    "raced",
    "unreadable",
    "budget",
];

/// One report; reading it checks that its sums are right.
#[derive(Clone, Debug)]
pub(crate) struct Report(Value);

impl Report {
    /// Reads one JSON document and checks what holds in every report that measured until
    /// all was looked at.
    pub(crate) fn parse(json: &[u8]) -> Self {
        let report = Self::of_a_moment(json);
        assert!(
            !report.complete() || report.skipped("budget") == 0,
            "complete, but not all was looked at: {}",
            report.0
        );
        report
    }

    /// The same for a picture of `top`: pages that came lately wait for their turn.
    pub(crate) fn of_a_moment(json: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(json).or_fail(format_args!(
            "reading a report from '{}'",
            String::from_utf8_lossy(json)
        ));
        let report = Self(value);
        assert_eq!(report.0["schema"], "sharestat.report/v1");
        report.assert_sums();
        report
    }

    /// The number at a JSON pointer such as `/totals/resident_bytes`.
    #[track_caller]
    pub(crate) fn number(&self, pointer: &str) -> u64 {
        let value = self.0.pointer(pointer);
        value
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("'{pointer}' should be a whole number and is {value:?}"))
    }

    /// True when everything asked for was measured.
    pub(crate) fn complete(&self) -> bool {
        let value = &self.0["coverage"]["complete"];
        value
            .as_bool()
            .unwrap_or_else(|| panic!("'complete' is {value}"))
    }

    /// Pages skipped for `reason`.
    pub(crate) fn skipped(&self, reason: &str) -> u64 {
        self.number(&format!("/coverage/skipped/{reason}"))
    }

    /// How the hook at `event` is attached.
    #[track_caller]
    pub(crate) fn hook(&self, event: &str) -> &str {
        let hooks = self.0["measurement"]["hooks"].as_array();
        let mut found = hooks
            .into_iter()
            .flatten()
            .filter(|hook| hook["event"] == event);
        let attached = found.next().and_then(|hook| hook["attached"].as_str());
        attached.unwrap_or_else(|| panic!("no hook '{event}' in {hooks:?}"))
    }

    /// No event was lost, in the ring or by a hook.
    #[track_caller]
    pub(crate) fn assert_nothing_lost(&self, when: &str) {
        assert_eq!(self.number("/coverage/events_lost"), 0, "{when}");
        let hooks = self.0["measurement"]["hooks"].as_array();
        for hook in hooks.into_iter().flatten() {
            assert_eq!(hook["lost"], 0, "{when}: {hook}");
        }
    }

    /// A list of the report, which must be there even when it is empty.
    #[track_caller]
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        let value = &self.0[name];
        value
            .as_array()
            .unwrap_or_else(|| panic!("'{name}' should be a list and is {value}"))
    }

    /// What could not be found out, as JSON.
    pub(crate) fn warnings(&self) -> String {
        self.0["identity"]["warnings"].to_string()
    }

    /// What limits the measurement, as JSON.
    pub(crate) fn notes(&self) -> String {
        self.0["measurement"]["notes"].to_string()
    }

    /// The only file whose path ends so.
    #[track_caller]
    pub(crate) fn only_file(&self, end: &str) -> &Value {
        let path = |file: &Value| file["path"].as_str().unwrap_or("").to_owned();
        let files = self.list("files");
        let mut found = files.iter().filter(|file| path(file).ends_with(end));
        let first = found.next();
        assert!(found.next().is_none(), "several files end in '{end}'");
        first.unwrap_or_else(|| panic!("no file ends in '{end}': {self:?}"))
    }

    /// Numbers that two looks at an unchanged cache must agree on, whoever looks.
    pub(crate) fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        for part in ["totals", "scopes", "mechanisms"] {
            facts.insert(part.to_owned(), self.0[part].to_string());
        }
        for count in ["resident_pages", "hashed_pages", "skipped"] {
            facts.insert(count.to_owned(), self.0["coverage"][count].to_string());
        }
        facts
    }

    /// Expectations that the report does not meet, one per line; empty when all is well.
    pub(crate) fn differences(&self, expected: &Expected) -> String {
        let mut text = String::new();
        let mut check = |what: &str, shown: u64, planned: u64| {
            if shown != planned {
                let _ = writeln!(text, "{what}: reported {shown}, expected {planned}");
            }
        };
        let bytes = |pages: u64| pages * PAGE as u64;
        let unseen = self.unseen(expected);
        let resident = expected.resident + unseen;
        check(
            "resident pages",
            self.number("/coverage/resident_pages"),
            resident,
        );
        check(
            "hashed pages",
            self.number("/coverage/hashed_pages"),
            expected.hashed(),
        );
        for reason in REASONS {
            let planned = match reason {
                "dirty" => expected.dirty,
                "not_uptodate" => expected.not_uptodate + unseen,
                _ => 0,
            };
            check(&format!("skipped {reason}"), self.skipped(reason), planned);
        }
        for (name, planned) in [
            ("resident", resident),
            ("eligible", expected.eligible),
            ("distinct", expected.distinct),
            ("duplicate", expected.duplicate),
            ("zero", expected.zero),
        ] {
            check(
                name,
                self.number(&format!("/totals/{name}_bytes")),
                bytes(planned),
            );
        }
        for (name, planned) in [("zero", expected.zero_scope), ("self", expected.self_scope)] {
            check(&format!("scope {name}"), self.scope(name), bytes(planned));
        }
        for (name, planned) in [
            ("content", expected.by_content),
            ("offset", expected.by_offset),
            ("zero", expected.by_zero),
        ] {
            let ExpectedSaving { pages, groups } = self.mechanism(name);
            check(&format!("mechanism {name}"), pages, bytes(planned.pages));
            check(
                &format!("groups of mechanism {name}"),
                groups,
                planned.groups,
            );
        }
        text + &self.file_differences(&expected.files)
    }

    /// Pages that only the tool can count: allocated beyond the end of a file and never
    /// filled (squashfs), on kernels without cachestat(2). At most one per file is believed.
    fn unseen(&self, expected: &Expected) -> u64 {
        if residency::counts_all_pages() {
            return 0;
        }
        let more = self
            .skipped("not_uptodate")
            .saturating_sub(expected.not_uptodate);
        more.min(expected.files.len() as u64)
    }

    /// Fails with all differences.
    #[track_caller]
    pub(crate) fn assert_equals(&self, expected: &Expected, what: &str) {
        let differences = self.differences(expected);
        assert!(
            differences.is_empty(),
            "{what}:\n{differences}{}",
            self.summary()
        );
    }

    /// The parts that explain a failure, short.
    pub(crate) fn summary(&self) -> String {
        let [measurement, coverage, totals] =
            ["measurement", "coverage", "totals"].map(|part| &self.0[part]);
        format!("measurement: {measurement}\ncoverage: {coverage}\ntotals: {totals}")
    }

    /// Bytes of a scope, 0 when it is not listed.
    pub(crate) fn scope(&self, name: &str) -> u64 {
        let row = self.list("scopes").iter().find(|row| row["name"] == name);
        row.map_or(0, |row| whole(row, "duplicate_bytes"))
    }

    fn mechanism(&self, name: &str) -> ExpectedSaving {
        let row = self
            .list("mechanisms")
            .iter()
            .find(|row| row["name"] == name);
        row.map_or(ExpectedSaving::default(), |row| ExpectedSaving {
            pages: whole(row, "saving_bytes"),
            groups: whole(row, "groups"),
        })
    }

    fn file_differences(&self, files: &[ExpectedFile]) -> String {
        let mut text = String::new();
        let rows = self.list("files");
        let mut unmatched: Vec<_> = rows
            .iter()
            .filter(|row| whole(row, "resident_bytes") > 0)
            .collect();
        for file in files {
            let Some(place) = unmatched.iter().position(|row| is_row_of(row, file)) else {
                let _ = writeln!(text, "file {:?} is not reported", file.paths);
                continue;
            };
            let row = unmatched.swap_remove(place);
            for (name, planned) in [
                ("resident_bytes", file.resident),
                ("duplicate_bytes", file.duplicate),
                ("exclusive_bytes", file.exclusive),
            ] {
                let (shown, planned) = (whole(row, name), planned * PAGE as u64);
                let unseen = name == "resident_bytes"
                    && !residency::counts_all_pages()
                    && shown == planned + PAGE as u64;
                if shown != planned && !unseen {
                    let _ = writeln!(
                        text,
                        "{name} of {:?}: reported {shown}, expected {planned}",
                        file.paths
                    );
                }
            }
            let (shown, planned) = (share(row), file.saving_share);
            // Whole bytes are shown.
            if (shown - planned).abs() > 1.0 {
                let _ = writeln!(
                    text,
                    "saving share of {:?}: reported {shown}, expected {planned}",
                    file.paths
                );
            }
        }
        for row in unmatched {
            let _ = writeln!(text, "unexpected file: {row}");
        }
        text
    }

    /// `docs` say that these sums hold; a report that breaks one is wrong whatever the
    /// machine did.
    #[track_caller]
    fn assert_sums(&self) {
        let resident = self.number("/coverage/resident_pages");
        let hashed = self.number("/coverage/hashed_pages");
        let skipped: u64 = REASONS.iter().map(|reason| self.skipped(reason)).sum();
        assert_eq!(
            resident,
            hashed + skipped,
            "resident = hashed + skipped: {}",
            self.0
        );
        let bytes = |name: &str| self.number(&format!("/totals/{name}_bytes"));
        assert_eq!(
            bytes("resident"),
            resident * PAGE as u64,
            "resident pages and bytes: {}",
            self.0
        );
        assert_eq!(
            hashed * PAGE as u64,
            bytes("distinct") + bytes("duplicate"),
            "hashed = distinct + duplicate: {}",
            self.0
        );
        let scopes: u64 = self
            .list("scopes")
            .iter()
            .map(|row| whole(row, "duplicate_bytes"))
            .sum();
        assert_eq!(
            scopes,
            bytes("duplicate"),
            "scopes add up to duplicate: {}",
            self.0
        );
        assert!(
            bytes("eligible") <= hashed * PAGE as u64,
            "eligible within hashed: {}",
            self.0
        );
        assert!(
            bytes("zero") <= hashed * PAGE as u64,
            "zero within hashed: {}",
            self.0
        );
        for row in self.list("mechanisms") {
            let saving = whole(row, "saving_bytes");
            assert!(
                saving <= bytes("duplicate"),
                "a mechanism saves more than all: {}",
                self.0
            );
        }
    }

    /// Fails unless the files' saving shares add up to the duplicates; all rows must be shown.
    #[track_caller]
    pub(crate) fn assert_shares_add_up(&self) {
        let rows = self.list("files");
        let shares: f64 = rows.iter().map(share).sum();
        let duplicate = &self.0["totals"]["duplicate_bytes"];
        let duplicate = duplicate.as_f64().unwrap_or(f64::NAN);
        // Whole bytes are shown.
        let rounding = rows.iter().fold(1.0, |sum, _| sum + 1.0);
        assert!(
            (shares - duplicate).abs() <= rounding,
            "saving shares add up to {shares}, duplicates are {duplicate}"
        );
    }
}

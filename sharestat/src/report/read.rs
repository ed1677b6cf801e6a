//! Reading reports back, from files that may be cut off, foreign, newer or damaged: each
//! is refused with one sentence, and what is taken keeps the sums that a report promises.

use serde::Deserialize;

use super::{
    Report,
    document::{SCHEMA, Skipped},
};
use crate::model::units::PAGE_SIZE;

/// The largest document that is read: some four million files.
pub(crate) const MOST_BYTES: u64 = 2 << 30;

/// Why a file is not a report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is larger than any report.
    #[error(
        "'{path}' is larger than {MOST_BYTES} bytes, which no report is; write one with 'sharestat scan --format json'"
    )]
    TooLarge {
        /// The file.
        path: String,
    },
    /// The document ends before it is complete.
    #[error(
        "'{path}' is cut off at line {line}: it was not written to its end; write the report anew"
    )]
    Truncated {
        /// The file.
        path: String,
        /// Where it ends.
        line: usize,
    },
    /// Something else than JSON, or a field is missing or of another kind.
    #[error(
        "'{path}' is not a whole report: {source}; write one with 'sharestat scan --format json'"
    )]
    Malformed {
        /// The file.
        path: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// JSON of something else.
    #[error(
        "'{path}' is {found}, not a report ('{SCHEMA}'); write one with 'sharestat scan --format json'"
    )]
    Foreign {
        /// The file.
        path: String,
        /// What it says it is.
        found: String,
    },
    /// A report that a later version wrote.
    #[error(
        "'{path}' is of schema '{found}', newer than '{SCHEMA}' that this version reads; use a newer sharestat"
    )]
    Newer {
        /// The file.
        path: String,
        /// The schema.
        found: String,
    },
    /// The numbers contradict each other.
    #[error("'{path}' is damaged: {what}; write the report anew")]
    Inconsistent {
        /// The file.
        path: String,
        /// Which sum does not hold.
        what: &'static str,
    },
}

/// Reads a report from bytes; `name` is for the errors.
///
/// # Errors
/// When it is no report of this schema.
pub fn parse(text: &[u8], name: &str) -> Result<Report, ReadError> {
    let path = || name.to_owned();
    let malformed = |source: serde_json::Error| {
        // A number that is cut in the middle is an error of its own to the parser.
        let trimmed = text.trim_ascii();
        let cut = trimmed.starts_with(b"{") && !trimmed.ends_with(b"}");
        if source.is_eof() || cut {
            ReadError::Truncated {
                path: path(),
                line: source.line(),
            }
        } else {
            ReadError::Malformed {
                path: path(),
                source,
            }
        }
    };
    let head: Head = serde_json::from_slice(text).map_err(malformed)?;
    match head.schema {
        None => {
            return Err(ReadError::Foreign {
                path: path(),
                found: "JSON without a schema".to_owned(),
            });
        }
        Some(schema) if schema == SCHEMA => {}
        Some(found) => return Err(not_ours(path(), found)),
    }
    let report: Report = serde_json::from_slice(text).map_err(malformed)?;
    match contradiction(&report) {
        Some(what) => Err(ReadError::Inconsistent { path: path(), what }),
        None => Ok(report),
    }
}

/// The only field that every document of ours has.
#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
}

fn not_ours(path: String, found: String) -> ReadError {
    let version = |schema: &str| {
        schema
            .strip_prefix("sharestat.report/v")
            .and_then(|version| version.parse::<u64>().ok())
    };
    if version(&found).is_some_and(|version| version > 1) {
        return ReadError::Newer { path, found };
    }
    let shown: String = found.chars().filter(|c| !c.is_control()).take(80).collect();
    ReadError::Foreign {
        path,
        found: format!("of schema '{shown}'"),
    }
}

/// The sum that does not hold, when one does not. Sums that overflow do not hold.
pub(crate) fn contradiction(report: &Report) -> Option<&'static str> {
    let Skipped {
        dirty,
        writeback,
        not_uptodate,
        raced,
        unreadable,
        budget,
    } = report.coverage.skipped;
    let sum = |parts: &[u64]| {
        let mut parts = parts.iter().copied();
        parts.try_fold(0_u64, u64::checked_add)
    };
    let hashed = report.coverage.hashed_pages;
    let seen = sum(&[
        hashed,
        dirty,
        writeback,
        not_uptodate,
        raced,
        unreadable,
        budget,
    ]);
    if seen != Some(report.coverage.resident_pages) {
        return Some("hashed and skipped pages do not add up to the resident ones");
    }
    let totals = &report.totals;
    let known = sum(&[totals.distinct_bytes, totals.duplicate_bytes]);
    if known.is_none() || known != hashed.checked_mul(PAGE_SIZE) {
        return Some("distinct and duplicate bytes do not add up to the hashed ones");
    }
    let scopes: Vec<u64> = report
        .scopes
        .iter()
        .map(|scope| scope.duplicate_bytes)
        .collect();
    let scopes = sum(&scopes);
    (scopes != Some(totals.duplicate_bytes))
        .then_some("the scopes do not add up to the duplicate bytes")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::{json, sample};

    fn written() -> Vec<u8> {
        let mut out = Vec::new();
        json::write(&sample::report(), &mut out).expect("memory takes everything");
        out
    }

    fn refusal(text: &str) -> String {
        parse(text.as_bytes(), "f.json")
            .expect_err("it is refused")
            .to_string()
    }

    #[test]
    fn every_cut_is_refused_in_one_line_that_says_so() {
        let whole = written();
        let end = whole.len() - 2;
        for length in (1..end).step_by(7) {
            let error = parse(&whole[..length], "f.json").expect_err("it is cut off");
            assert!(matches!(error, ReadError::Truncated { .. }), "{error}");
            assert!(!error.to_string().contains('\n'));
        }
        assert!(parse(&whole, "f.json").is_ok());
    }

    #[test]
    fn other_documents_are_named_for_what_they_are() {
        assert!(refusal("[1]").contains("not a whole report"));
        assert!(refusal("{}").contains("JSON without a schema"));
        assert!(refusal(r#"{"schema":"sharestat.doctor/v1"}"#).contains("'sharestat.doctor/v1'"));
        assert!(refusal(r#"{"schema":"sharestat.report/v2"}"#).contains("newer"));
        assert!(refusal(r#"{"schema":"sharestat.report/v1"}"#).contains("missing field"));
        assert!(refusal("PAR1\u{0}").contains("not a whole report"));
    }

    #[test]
    fn numbers_that_contradict_each_other_are_damage() {
        for (field, change) in [
            ("resident", 1_u64),
            ("distinct", 4096),
            ("overflow", u64::MAX),
        ] {
            let mut report = sample::report();
            match field {
                "resident" => report.coverage.resident_pages += change,
                "distinct" => report.totals.distinct_bytes += change,
                _ => report.coverage.skipped.raced = change,
            }
            let mut out = Vec::new();
            json::write(&report, &mut out).expect("memory takes everything");
            let error = parse(&out, "f.json").expect_err("the sums do not hold");
            assert!(matches!(error, ReadError::Inconsistent { .. }), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_flipped_bit_never_panics(position in 0_usize..4000, bit in 0_u8..8) {
            let mut text = written();
            let position = position % text.len();
            text[position] ^= 1 << bit;
            let _ = parse(&text, "f.json");
        }
    }
}

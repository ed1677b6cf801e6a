//! What a report says of ways to share: savings, how sure they are, what they wait for.

use serde_json::Value;

use super::Report;
use crate::rows::whole;

impl Report {
    /// What the kernel saves already by keeping pages once for several files.
    pub(crate) fn already_shared(&self) -> u64 {
        let mut rows = self.list("mechanisms").iter();
        let erofs = rows.find(|row| row["name"] == "erofs");
        erofs
            .and_then(|row| row["already_shared_bytes"].as_u64())
            .unwrap_or(0)
    }

    /// Bytes that a mechanism would save.
    pub(crate) fn saving(&self, mechanism: &str) -> u64 {
        self.mechanism(mechanism).pages
    }

    /// What a mechanism waits for: reasons and bytes.
    pub(crate) fn needs(&self, mechanism: &str) -> Vec<(String, u64)> {
        self.reasons(mechanism, "needs")
    }

    /// What a mechanism does not reach: reasons and bytes.
    pub(crate) fn out_of_reach(&self, mechanism: &str) -> Vec<(String, u64)> {
        self.reasons(mechanism, "out_of_reach")
    }

    fn reasons(&self, mechanism: &str, list: &str) -> Vec<(String, u64)> {
        let mut rows = self.list("mechanisms").iter();
        let row = rows.find(|row| row["name"] == mechanism);
        let row = row.unwrap_or_else(|| panic!("no mechanism '{mechanism}'"));
        let reasons = row[list].as_array().into_iter().flatten();
        let part = |reason: &Value| {
            let why = reason["reason"].as_str().unwrap_or("").to_owned();
            (why, reason["bytes"].as_u64().unwrap_or(0))
        };
        reasons.map(part).collect()
    }

    /// What the advice for a mechanism says it would save, and its largest cause; nothing
    /// when there is no such line.
    pub(crate) fn advice(&self, mechanism: &str) -> Option<(u64, &str)> {
        let mut lines = self.list("advice").iter();
        let line = lines.find(|line| line["mechanism"] == mechanism)?;
        Some((whole(line, "saving_bytes"), line["cause"].as_str()?))
    }

    /// How sure a mechanism is.
    pub(crate) fn confidence(&self, mechanism: &str) -> &str {
        let rows = self.list("mechanisms").iter();
        let mut named = rows.filter(|row| row["name"] == mechanism);
        named
            .next()
            .and_then(|row| row["confidence"].as_str())
            .unwrap_or("not listed")
    }
}

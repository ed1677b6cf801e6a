//! What could not be found out about layers, images and containers, and what to do
//! about it. A warning never stops a measurement: bytes stay in the totals, unnamed.

use std::{fmt, io, path::Path};

use super::escape::printable;

/// Warnings of one kind that are listed before the rest is only counted.
const MOST: usize = 200;

/// One thing that could not be found out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// What was tried, on what, and why it failed.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.what, self.remedy)
    }
}

/// So many of something, which is one thing or several.
pub(crate) fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// Warnings, each once, and not so many that they hide the result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    listed: Vec<Warning>,
    more: usize,
}

impl Warnings {
    /// Adds one that is not there yet.
    pub fn add(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        let warning = Warning {
            what: what.into(),
            remedy: remedy.into(),
        };
        if self.listed.contains(&warning) {
            return;
        }
        if self.listed.len() < MOST {
            self.listed.push(warning);
        } else {
            self.more += 1;
        }
    }

    /// A file or directory that could not be read.
    pub fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let remedy = match error.kind() {
            io::ErrorKind::PermissionDenied => "run as root, or with CAP_DAC_READ_SEARCH",
            io::ErrorKind::NotFound => {
                "it vanished while it was read: measure again when the runtime is quiet"
            }
            _ => "check the store with its own tool; names are missing until then",
        };
        self.add(
            format!("cannot read '{}': {error}", printable(path)),
            remedy,
        );
    }

    /// A file whose contents are not what its runtime writes.
    pub fn malformed(&mut self, path: &Path, reason: impl std::fmt::Display) {
        self.add(
            format!("cannot use '{}': {reason}", printable(path)),
            "it is damaged, half written or of an unknown version: check it with its runtime; ids stand in for names",
        );
    }

    /// All of them, the last one telling how many are not listed.
    #[must_use]
    pub fn into_list(mut self) -> Vec<Warning> {
        if self.more > 0 {
            self.listed.push(Warning {
                what: format!("{} more warnings about layers and names", self.more),
                remedy: "mend the ones listed first".to_owned(),
            });
        }
        self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_not_listed() {
        let mut warnings = Warnings::default();
        for number in 0..=MOST {
            warnings.add(format!("{number}"), "");
            warnings.add("0", "");
        }
        let list = warnings.into_list();
        assert_eq!(list.len(), MOST + 1);
        assert!(list[MOST].what.starts_with("1 more"), "{:?}", list[MOST]);
    }

    #[test]
    fn a_vanished_file_says_so() {
        let mut warnings = Warnings::default();
        let error = io::Error::from(io::ErrorKind::NotFound);
        warnings.unreadable(Path::new("/a\nb"), &error);
        let list = warnings.into_list();
        assert!(list[0].what.contains("'/a\\nb'"), "{:?}", list[0]);
        assert!(list[0].remedy.contains("vanished"), "{:?}", list[0]);
    }
}

//! Sizes in a mix file: each has a unit, and all of one file are of one kind, powers of
//! 1024 or of 1000, because a mixture is more often a slip than meant.

use crate::query::parse_size;

/// What the units of a file count in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// KiB, MiB, … and K, M, …
    Binary,
    /// KB, MB, …
    Decimal,
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Binary => "powers of 1024",
            Self::Decimal => "powers of 1000",
        }
    }
}

/// Reads sizes, and remembers the first unit with its line.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    first: Option<(Kind, usize, String)>,
}

impl Sizes {
    /// The bytes of a size that stands in a line (from 1) as the value of `key`.
    ///
    /// # Errors
    /// One sentence: no unit, no size, or a unit of another kind than an earlier line has.
    pub fn read(&mut self, key: &str, text: &str, line: usize) -> Result<u64, String> {
        let example = "write it like \"220MiB\"";
        let unit = text.trim_start_matches(|sign: char| sign.is_ascii_digit() || sign == '.');
        if unit.is_empty() && !text.is_empty() {
            return Err(format!("'{key}' has no unit: '{text}'; {example}"));
        }
        let bytes =
            parse_size(text).ok_or_else(|| format!("'{key}' is no size: '{text}'; {example}"))?;
        let Some(kind) = kind_of(unit) else {
            return Ok(bytes);
        };
        match &self.first {
            None => self.first = Some((kind, line, unit.to_owned())),
            Some((first, ..)) if *first == kind => {}
            Some((first, there, other)) => {
                return Err(format!(
                    "'{key}' is in {unit} ({}), and line {there} is in {other} ({}); use one kind in the whole file",
                    kind.words(),
                    first.words()
                ));
            }
        }
        Ok(bytes)
    }
}

/// `None` for plain bytes, which fit both.
fn kind_of(unit: &str) -> Option<Kind> {
    let unit = unit.to_ascii_lowercase();
    match unit.as_str() {
        "b" => None,
        _ if unit.ends_with('b') && !unit.ends_with("ib") => Some(Kind::Decimal),
        _ => Some(Kind::Binary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_of_the_kind_that_the_file_began_with() {
        let mut sizes = Sizes::default();
        assert_eq!(sizes.read("private", "4096B", 1), Ok(4096));
        assert_eq!(sizes.read("private", "1.5GiB", 2), Ok(3 << 29));
        assert_eq!(sizes.read("private", "2M", 3), Ok(2 << 20));
        let mixed = sizes.read("base", "2GB", 7).expect_err("it is mixed");
        assert!(mixed.contains("'base' is in GB"), "{mixed}");
        assert!(mixed.contains("line 2 is in GiB"), "{mixed}");
        let bare = sizes.read("base", "200", 8).expect_err("it has no unit");
        assert!(bare.contains("no unit"), "{bare}");
        for nonsense in ["", "-1GiB", "1GiB 200MiB", "many", "1XiB"] {
            let error = sizes.read("base", nonsense, 9).expect_err("no size");
            assert!(error.contains("no size"), "{nonsense}: {error}");
        }
    }
}

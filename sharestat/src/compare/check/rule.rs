//! A rule: a number of a report, and how far it may grow or how large it may be.

use std::fmt;

use wildmatch::WildMatchPattern;

use crate::query::parse_size;

/// Which list of a report a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The sums of the host.
    Total,
    /// Duplicates by scope.
    Scope,
    /// Savings by mechanism.
    Mechanism,
    /// Duplicates of a filesystem.
    Filesystem,
    /// Duplicates of a layer.
    Layer,
    /// Duplicates of an image.
    Image,
    /// Duplicates of a container.
    Container,
    /// Duplicates of a memory cgroup.
    Memcg,
    /// Duplicates of a file.
    File,
}

const KINDS: [(&str, Kind); 8] = [
    ("scope", Kind::Scope),
    ("mechanism", Kind::Mechanism),
    ("filesystem", Kind::Filesystem),
    ("layer", Kind::Layer),
    ("image", Kind::Image),
    ("container", Kind::Container),
    ("memcg", Kind::Memcg),
    ("file", Kind::File),
];

/// The sums that a rule can name without a list.
pub const TOTALS: [&str; 5] = ["resident", "eligible", "distinct", "duplicate", "zero"];

/// What a rule is about: `duplicate`, `mechanism:content`, `file:/srv/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The list.
    pub kind: Kind,
    /// The name of the row; `*` stands for any text.
    pub pattern: String,
}

impl Measure {
    /// Reads a measure.
    ///
    /// # Errors
    /// When there is no such list or sum; the sentence names the nearest.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((list, pattern)) = text.split_once(':') {
            let found = KINDS.iter().find(|(name, _)| *name == list);
            let Some((_, kind)) = found else {
                let names = KINDS.iter().map(|(name, _)| *name);
                return Err(unknown("list", list, names));
            };
            if pattern.is_empty() {
                return Err(format!(
                    "measure '{text}' names no row; write '{list}:*' for all"
                ));
            }
            return Ok(Self {
                kind: *kind,
                pattern: pattern.to_owned(),
            });
        }
        if TOTALS.contains(&text) {
            return Ok(Self {
                kind: Kind::Total,
                pattern: text.to_owned(),
            });
        }
        Err(unknown("measure", text, TOTALS.into_iter()))
    }

    /// Whether the rule is about a row of this name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        Glob::new(&self.pattern).matches(name)
    }

    /// Whether it may be about several rows.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.pattern.contains('*')
    }

    /// The measure of one row of the list.
    #[must_use]
    pub fn of(&self, name: &str) -> String {
        let list = KINDS.iter().find(|(_, kind)| *kind == self.kind);
        list.map_or_else(|| name.to_owned(), |(list, _)| format!("{list}:{name}"))
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.of(&self.pattern))
    }
}

/// `*` is any text, everything else itself: names hold no zero, which stands for one sign.
type Glob = WildMatchPattern<'*', '\0'>;

/// What a rule allows. A pair of limits is exceeded when both are; a limit that was not
/// given is no obstacle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Growth over the base, in per cent of it.
    pub percent: Option<f64>,
    /// Growth over the base, in bytes.
    pub bytes: Option<u64>,
    /// Size, in per cent of what was hashed (sums, scopes, mechanisms) or of what the row
    /// has in the page cache (all others).
    pub max_percent: Option<f64>,
    /// Size, in bytes.
    pub max_bytes: Option<u64>,
}

impl Limits {
    /// Whether growth is limited, so that a base is needed.
    #[must_use]
    pub const fn on_growth(&self) -> bool {
        self.percent.is_some() || self.bytes.is_some()
    }

    /// Whether size is limited.
    #[must_use]
    pub const fn on_size(&self) -> bool {
        self.max_percent.is_some() || self.max_bytes.is_some()
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name in the results.
    pub name: String,
    /// What it looks at.
    pub measure: Measure,
    /// What it allows.
    pub limits: Limits,
}

/// The keys of a rule, in files and on the command line.
pub const KEYS: [&str; 6] = [
    "name",
    "measure",
    "percent",
    "bytes",
    "max_percent",
    "max_bytes",
];

impl Rule {
    /// Reads a rule as it stands on the command line: `MEASURE,KEY=VALUE,…`.
    ///
    /// # Errors
    /// A sentence that names the mistake and the nearest known key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let measure = Measure::parse(parts.next().unwrap_or_default().trim())?;
        let mut limits = Limits::default();
        let mut name = measure.to_string();
        for part in parts {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| format!("'{part}' in rule '{text}' is not KEY=VALUE"))?;
            match key.trim() {
                "percent" => limits.percent = Some(percentage(value)?),
                "bytes" => limits.bytes = Some(size(value)?),
                "max_percent" => limits.max_percent = Some(percentage(value)?),
                "max_bytes" => limits.max_bytes = Some(size(value)?),
                "name" => value.clone_into(&mut name),
                other => {
                    return Err(unknown(
                        "key",
                        other,
                        KEYS.into_iter().filter(|key| *key != "measure"),
                    ));
                }
            }
        }
        Self::new(name, measure, limits)
    }

    /// A rule that limits something.
    ///
    /// # Errors
    /// When it limits nothing.
    pub fn new(name: String, measure: Measure, limits: Limits) -> Result<Self, String> {
        if !limits.on_growth() && !limits.on_size() {
            return Err(format!(
                "rule '{name}' has no limit; give 'percent' and 'bytes' (growth) or 'max_bytes' (size)"
            ));
        }
        Ok(Self {
            name,
            measure,
            limits,
        })
    }

    /// The rule when nobody gave one: duplicates may not grow by 5 % and 16 MiB.
    #[must_use]
    pub fn usual() -> Self {
        Self {
            name: "duplicate".to_owned(),
            measure: Measure {
                kind: Kind::Total,
                pattern: "duplicate".to_owned(),
            },
            limits: Limits {
                percent: Some(5.0),
                bytes: Some(16 << 20),
                ..Limits::default()
            },
        }
    }
}

/// A limit in per cent.
///
/// # Errors
/// When it is no number from 0 on.
pub fn percentage(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    number
        .parse()
        .ok()
        .filter(|percent: &f64| percent.is_finite() && *percent >= 0.0)
        .ok_or_else(|| format!("'{text}' is no percentage; write one like 5 or 0.5"))
}

/// A limit in bytes.
///
/// # Errors
/// When it is no size.
pub fn size(text: &str) -> Result<u64, String> {
    let bare: String = text.split_whitespace().collect();
    parse_size(&bare).ok_or_else(|| format!("'{text}' is no size; write one like 10MiB or 4096"))
}

/// The sentence for a name that is not known, with the nearest one that is.
pub(crate) fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known
        .iter()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .filter(|(likeness, _)| *likeness > 0.7);
    match nearest {
        Some((_, nearest)) => format!("there is no {what} '{name}'; did you mean '{nearest}'?"),
        None => format!(
            "there is no {what} '{name}'; known are {}",
            known.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rule_on_the_command_line_has_a_measure_and_limits() {
        let rule = Rule::parse("mechanism:content,percent=5,bytes=10MiB").expect("it is valid");
        assert_eq!(rule.name, "mechanism:content");
        assert_eq!(rule.measure.kind, Kind::Mechanism);
        assert_eq!(rule.limits.percent, Some(5.0));
        assert_eq!(rule.limits.bytes, Some(10 << 20));
    }

    #[test]
    fn mistakes_name_the_nearest_that_is_known() {
        let refused = |text| Rule::parse(text).expect_err("it is refused");
        assert!(refused("duplicates,bytes=1").contains("did you mean 'duplicate'"));
        assert!(refused("mechanisms:content,bytes=1").contains("did you mean 'mechanism'"));
        assert!(refused("zero,max_byte=1").contains("did you mean 'max_bytes'"));
        assert!(refused("zero,bytes=much").contains("'much' is no size"));
        assert!(refused("zero,percent=-1").contains("no percentage"));
        assert!(refused("zero,percent=nan").contains("no percentage"));
        assert!(refused("zero").contains("has no limit"));
        assert!(refused("file:,bytes=1").contains("'file:*'"));
        assert!(refused("qqqq,bytes=1").contains("known are resident"));
    }

    #[test]
    fn a_star_is_any_text() {
        assert!(
            Glob::new("/srv/*").matches("/srv/a/b")
                && Glob::new("*").matches("")
                && Glob::new("a*c*e").matches("abcde")
        );
        assert!(
            !Glob::new("/srv/*").matches("/usr/a")
                && !Glob::new("a").matches("ab")
                && !Glob::new("").matches("a")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_rule_or_refused(text in ".{0,40}") {
            let _ = Rule::parse(&text);
        }

        #[test]
        fn cutting_any_part_out_for_a_star_still_matches(text in "[a-c]{0,12}", from in 0_usize..13, to in 0_usize..13) {
            let (from, to) = (from.min(text.len()), to.min(text.len()));
            let (from, to) = (from.min(to), from.max(to));
            let pattern = format!("{}*{}", &text[..from], &text[to..]);
            prop_assert!(Glob::new(&pattern).matches(&text));
        }
    }
}

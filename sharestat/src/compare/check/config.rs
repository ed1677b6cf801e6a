//! `sharestat.toml`: where the baseline is, and the rules.

use std::path::PathBuf;

use toml::{Table, Value};

use super::rule::{KEYS, Limits, Measure, Rule, percentage, size, unknown};

/// The file that is read when none is named.
pub const USUAL: &str = "sharestat.toml";

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The base report, relative to the file.
    pub baseline: Option<PathBuf>,
    /// The rules.
    pub rules: Vec<Rule>,
}

impl Config {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// One sentence: where the TOML is broken, or which key or value is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error| broken(text, &error))?;
        let mut config = Self::default();
        for (key, value) in table {
            match (key.as_str(), value) {
                ("baseline", Value::String(path)) => config.baseline = Some(path.into()),
                ("baseline", _) => return Err("'baseline' is not a path in quotes".to_owned()),
                ("rule", Value::Array(rules)) => {
                    for rule in rules {
                        let Value::Table(rule) = rule else {
                            return Err(
                                "a 'rule' is not a table; begin it with '[[rule]]'".to_owned()
                            );
                        };
                        config.rules.push(parse_rule(rule)?);
                    }
                }
                ("rule", _) => return Err("begin each rule with '[[rule]]'".to_owned()),
                (other, _) => return Err(unknown("key", other, ["baseline", "rule"].into_iter())),
            }
        }
        Ok(config)
    }
}

/// The first line of what the parser says, and the line of the file.
fn broken(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    let message = error.message().replace('\n', ", ");
    format!("line {line} is not TOML: {message}")
}

fn parse_rule(table: Table) -> Result<Rule, String> {
    let (mut name, mut measure) = (None, None);
    let mut limits = Limits::default();
    for (key, value) in table {
        match key.as_str() {
            "name" => name = Some(string(&key, &value)?),
            "measure" => measure = Some(Measure::parse(&string(&key, &value)?)?),
            "percent" => limits.percent = Some(percentage(&number(&key, &value)?)?),
            "bytes" => limits.bytes = Some(size(&number(&key, &value)?)?),
            "max_percent" => limits.max_percent = Some(percentage(&number(&key, &value)?)?),
            "max_bytes" => limits.max_bytes = Some(size(&number(&key, &value)?)?),
            other => return Err(unknown("key", other, KEYS.into_iter())),
        }
    }
    let measure = measure
        .ok_or("a rule has no 'measure'; give one like 'duplicate' or 'mechanism:content'")?;
    Rule::new(name.unwrap_or_else(|| measure.to_string()), measure, limits)
}

fn string(key: &str, value: &Value) -> Result<String, String> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| format!("'{key}' is not text in quotes"))
}

/// Numbers and quoted sizes alike.
fn number(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        _ => Err(format!(
            "'{key}' is neither a number nor a size such as \"10MiB\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rules_and_baseline_are_read() {
        let config = Config::parse(
            "baseline = \"ci/base.json\"\n\
             [[rule]]\nmeasure = \"duplicate\"\npercent = 5\nbytes = \"8MiB\"\n\
             [[rule]]\nname = \"big\"\nmeasure = \"image:*\"\nmax_bytes = 1048576\nmax_percent = 12.5\n",
        )
        .expect("it is valid");
        assert_eq!(config.baseline, Some("ci/base.json".into()));
        assert_eq!(config.rules.len(), 2);
        assert_eq!(config.rules[0].limits.bytes, Some(8 << 20));
        assert_eq!(config.rules[1].name, "big");
        assert_eq!(config.rules[1].limits.max_percent, Some(12.5));
    }

    #[test]
    fn mistakes_are_named_with_what_was_meant() {
        let refused = |text| Config::parse(text).expect_err("it is refused");
        assert!(refused("rules = []").contains("did you mean 'rule'?"));
        assert!(
            refused("[[rule]]\nmeasure = \"zero\"\npercentage = 1\n")
                .contains("did you mean 'percent'?")
        );
        assert!(refused("[[rule]]\nbytes = 1\n").contains("no 'measure'"));
        assert!(refused("[rule]\nbytes = 1\n").contains("[[rule]]"));
        assert!(refused("a = 1\nb = = 2\n").starts_with("line 2 is not TOML"));
        assert!(
            refused("[[rule]]\nmeasure = \"zero\"\nbytes = true\n").contains("neither a number")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_in_one_line(text in "[a-z=\\[\\]\"\n .0-9]{0,60}") {
            if let Err(error) = Config::parse(&text) {
                prop_assert!(!error.contains('\n'), "{error}");
            }
        }
    }
}

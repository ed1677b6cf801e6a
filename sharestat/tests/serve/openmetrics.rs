//! A strict reader of `OpenMetrics` text: what a scraper may refuse, it refuses. In goes an
//! exposition, out come its samples. Counters, gauges and info only: we have no other.

use std::collections::HashSet;

/// One sample.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

/// The samples of an exposition.
///
/// # Errors
/// The first line that breaks a rule, and which.
pub(crate) fn check(text: &str) -> Result<Vec<Sample>, String> {
    let body = text
        .strip_suffix("# EOF\n")
        .ok_or("the last line is not '# EOF'")?;
    if !body.is_empty() && !body.ends_with('\n') {
        return Err("a line without end before '# EOF'".to_owned());
    }
    let (mut families, mut series) = (HashSet::new(), HashSet::new());
    let mut family: Option<(String, String)> = None;
    let mut samples = Vec::new();
    for line in body.lines() {
        let wrong = |why: &str| Err(format!("{why}: '{line}'"));
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            let [kind, name, rest] = words[..] else {
                return wrong("a comment of less than three words");
            };
            match kind {
                "HELP" if families.insert(name.to_owned()) => {
                    family = Some((name.to_owned(), String::new()));
                }
                "HELP" => return wrong("a family that was there already"),
                "TYPE" if ["gauge", "counter", "info"].contains(&rest) => match &mut family {
                    Some((known, kind)) if known == name => rest.clone_into(kind),
                    _ => return wrong("a type of another family"),
                },
                "UNIT" if name.ends_with(&format!("_{rest}")) => {}
                _ => return wrong("no HELP, TYPE or UNIT that fits"),
            }
            continue;
        }
        let sample = sample(line).ok_or_else(|| format!("no sample: '{line}'"))?;
        let Some((name, kind)) = &family else {
            return wrong("a sample before its family");
        };
        let suffix = match kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            "gauge" => "",
            _ => return wrong("a sample before its type"),
        };
        if sample.name != format!("{name}{suffix}") {
            return wrong("a sample of another family");
        }
        if kind == "counter" && (sample.value < 0.0 || sample.value.is_nan()) {
            return wrong("a counter below zero");
        }
        if !series.insert(format!("{}{:?}", sample.name, sample.labels)) {
            return wrong("the same series twice");
        }
        samples.push(sample);
    }
    Ok(samples)
}

fn is_name(name: &str) -> bool {
    let first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    name.starts_with(first)
        && name
            .chars()
            .all(|letter| first(letter) || letter.is_ascii_digit())
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, value) = rest.split_once("=\"")?;
            let (value, after) = quoted(value)?;
            if !is_name(label) || labels.iter().any(|(known, _)| known == label) {
                return None;
            }
            labels.push((label.to_owned(), value));
            if let Some(end) = after.strip_prefix('}') {
                rest = end;
                break;
            }
            rest = after.strip_prefix(',')?;
        }
    }
    let value = rest.strip_prefix(' ')?;
    (is_name(name) && !value.contains(' ')).then_some(())?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().ok()?,
    })
}

/// The value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('"' | '\\') => value.push(escaped),
                _ => return None,
            },
            letter => value.push(letter),
        }
    }
    None
}

#[test]
fn what_a_scraper_would_refuse_is_refused() {
    let good = "# HELP a_b B.\n# TYPE a_b gauge\na_b{x=\"\\\"}\"} 1\n# EOF\n";
    assert_eq!(check(good).expect("good")[0].labels[0].1, "\"}");
    for (change, to) in [
        ("# EOF\n", ""),
        ("a_b{", "a_c{"),
        ("gauge", "counter"),
        ("gauge", "funny"),
        (" 1\n", "\n"),
        (" 1\n", " x\n"),
        ("x=", "1x="),
        ("# EOF", "a_b{x=\"\\\"}\"} 1\n# EOF"),
        ("# EOF", "# HELP a_b B.\n# EOF"),
    ] {
        assert!(check(&good.replacen(change, to, 1)).is_err(), "{to}");
    }
}

//! The examination as text: one line per finding, wrapped to the terminal, with loss and
//! remedy below it. State is a sign and a word; there is no colour to depend on.

use std::fmt::Write as _;

use super::{
    Doctor,
    finding::{Area, Finding, State},
    verdict::{Ability, Verdict},
};

/// From this width on, what was found stands beside the name; else below it.
const WIDE: usize = 90;

/// Narrower terminals are treated as this wide: the terminal wraps then.
const NARROWEST: usize = 20;

/// Columns of sign, blank, the longest state word and a blank, after two of indent.
const STATE_COLUMNS: usize = 2 + 2 + 11;

/// Indent of what stands below a name.
const BELOW: usize = 6;

pub(super) fn page(doctor: &Doctor, width: usize) -> String {
    let width = width.max(NARROWEST);
    let names = doctor
        .findings
        .iter()
        .map(|finding| columns(&finding.name))
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    let title = format!(
        "sharestat {} on Linux {} ({})",
        doctor.tool.version, doctor.kernel, doctor.arch
    );
    paragraph(&mut text, "", &title, width);
    for area in Area::ALL {
        let findings: Vec<_> = doctor
            .findings
            .iter()
            .filter(|finding| finding.area == area)
            .collect();
        if findings.is_empty() {
            continue;
        }
        text.push('\n');
        text.push_str(area.heading());
        text.push('\n');
        for finding in findings {
            line(&mut text, finding, names, width);
        }
    }
    text.push_str("\nverdict\n");
    for ability in &doctor.verdict.abilities {
        judgement(&mut text, ability, width);
    }
    text.push('\n');
    paragraph(&mut text, "", &ending(&doctor.verdict), width);
    text
}

fn line(text: &mut String, finding: &Finding, names: usize, width: usize) {
    let head = format!("  {} {:<11}", finding.state.sign(), finding.state.word());
    if width >= WIDE {
        let head = format!("{head}{:<names$}  ", finding.name);
        paragraph(text, &head, &finding.found, width);
    } else {
        paragraph(text, &head, &finding.name, width);
        paragraph(text, &" ".repeat(BELOW), &finding.found, width);
    }
    let indent = if width >= WIDE {
        STATE_COLUMNS + names + 2
    } else {
        BELOW
    };
    for (label, words) in [("loss: ", &finding.loss), ("remedy: ", &finding.remedy)] {
        if !words.is_empty() && finding.state != State::Ok {
            paragraph(text, &format!("{:indent$}{label}", ""), words, width);
        }
    }
}

fn judgement(text: &mut String, ability: &Ability, width: usize) {
    let (state, words) = match (ability.works, ability.limited_by.as_slice()) {
        (true, []) => (State::Ok, "works".to_owned()),
        (true, limits) => (
            State::Ok,
            format!("works, limited by: {}", limits.join(", ")),
        ),
        (false, _) => (
            State::Missing,
            format!("does not work: see {}", ability.blocked_by.join(", ")),
        ),
    };
    let sign = format!("  {} ", state.sign());
    let name = ability.ability.name();
    let head = format!("{sign}{name:<19}");
    if width < 2 * columns(&head) {
        paragraph(text, &sign, name, width);
        paragraph(text, &" ".repeat(BELOW), &words, width);
    } else {
        paragraph(text, &head, &words, width);
    }
}

fn ending(verdict: &Verdict) -> String {
    let words = match verdict.exit_code {
        0 => "'scan' works here",
        3 => "'scan' lacks a privilege; the remedies above say which",
        _ => "'scan' lacks something that the kernel or this build does not have",
    };
    format!("exit code {}: {words}", verdict.exit_code)
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Appends `words` after `head`, wrapped to `width`, later lines indented as far as `head`
/// reaches. Line breaks in `words` (a verifier's log) are kept.
fn paragraph(text: &mut String, head: &str, words: &str, width: usize) {
    let mut head = head.to_owned();
    let room = width.saturating_sub(columns(&head)).max(1);
    let mut lines: Vec<String> = words.lines().flat_map(|line| wrapped(line, room)).collect();
    if lines.is_empty() {
        lines.push(String::new());
    }
    for line in lines {
        let full = format!("{head}{line}");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", full.trim_end());
        head = " ".repeat(columns(&head));
    }
}

/// Words of `line` in lines of at most `room` columns; a longer word is cut.
fn wrapped(line: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(room) {
            let Some(last) = lines.last_mut() else {
                continue;
            };
            let used = columns(last);
            let starts_word = piece.as_ptr() == letters.as_ptr();
            let blank = usize::from(used != 0 && starts_word);
            if used != 0 && used + blank + piece.len() > room {
                lines.push(piece.iter().collect());
            } else {
                last.push_str(if blank == 1 { " " } else { "" });
                last.extend(piece);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_and_long_words_are_cut() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrapped("a abcdef", 4), ["a", "abcd", "ef"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn later_lines_stand_below_the_first() {
        let mut text = String::new();
        paragraph(&mut text, "  head  ", "one two three\nfour", 16);
        assert_eq!(text, "  head  one two\n        three\n        four\n");
    }
}

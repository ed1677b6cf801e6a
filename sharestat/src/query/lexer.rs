//! Splits a query into tokens that know their place.

use std::ops::Range;

use super::{Operator, QueryError};

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    Not,
    Operator(Operator),
    /// A word, or text in quotes (which is never a keyword).
    Word {
        text: String,
        quoted: bool,
    },
}

/// A token and the bytes it was read from.
pub(super) type Placed = (Token, Range<usize>);

const OPERATORS: [(&str, Operator); 9] = [
    ("!=", Operator::NotEqual),
    ("!~", Operator::Lacks),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("==", Operator::Equal),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Contains),
];

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, QueryError> {
    let mut found: Vec<Placed> = Vec::new();
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        let start = at;
        if letter.is_whitespace() {
            at += letter.len_utf8();
            continue;
        }
        // After an operator comes a value, which may contain operator signs: `path~a=b`.
        let value_expected = matches!(found.last(), Some((Token::Operator(_), _)));
        let token = if letter == '(' {
            at += 1;
            Token::Open
        } else if letter == ')' {
            at += 1;
            Token::Close
        } else if letter == '"' || letter == '\'' {
            let body = start + 1;
            let Some(length) = text[body..].find(letter) else {
                return Err(QueryError::new(
                    text,
                    start..text.len(),
                    format!("the quote {letter} is never closed"),
                ));
            };
            at = body + length + 1;
            Token::Word {
                text: text[body..body + length].to_owned(),
                quoted: true,
            }
        } else if let Some((sign, operator)) = OPERATORS
            .iter()
            .find(|(sign, _)| !value_expected && text[at..].starts_with(sign))
        {
            at += sign.len();
            Token::Operator(*operator)
        } else if letter == '!' && !value_expected {
            at += 1;
            Token::Not
        } else {
            let length = text[at..]
                .find(|next: char| ends_word(next, value_expected))
                .unwrap_or(text.len() - at);
            at += length;
            Token::Word {
                text: text[start..at].to_owned(),
                quoted: false,
            }
        };
        found.push((token, start..at));
    }
    Ok(found)
}

fn ends_word(letter: char, value: bool) -> bool {
    letter.is_whitespace()
        || matches!(letter, '(' | ')')
        || (!value && matches!(letter, '=' | '>' | '<' | '~' | '!'))
}

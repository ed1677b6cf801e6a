//! The filter language of `top`, `scan` and `report`: `dup>10MiB path~python not fs=xfs`.
//!
//! A query is parsed once against the fields that a list has, and then asked for each
//! row. In: text and field names; out: yes or no per row, or an error with its place.

mod error;
mod lexer;
mod parser;
mod size;

pub use error::QueryError;
pub use size::parse_size;

/// How deeply parentheses and `not` may nest.
pub(crate) const DEEPEST: usize = 64;

/// What kind of values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Compared as text; `~` finds a part of it, whatever its case.
    Text,
    /// A number of bytes; values take units such as `10MiB`.
    Bytes,
}

/// One field that a query may name.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The full name.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// How its values compare.
    pub kind: FieldKind,
}

/// The value of one field in one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(u64),
    /// The row has no such value: no comparison with it holds.
    Missing,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    Lacks,
}

/// One node of a parsed query. Fields are positions in the list given to `parse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Text(usize, Operator, String),
    Bytes(usize, Operator, u64),
    /// A word alone: in any of these text fields, in lower case.
    Word(Vec<usize>, String),
}

/// A parsed query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    root: Node,
}

impl Query {
    /// Parses `text` for rows that have these `fields`. Empty text matches every row.
    ///
    /// # Errors
    /// When the text is no query, with the place of the first mistake.
    pub fn parse(text: &str, fields: &[Field]) -> Result<Self, QueryError> {
        let root = parser::parse(text, fields)?;
        Ok(Self { root })
    }

    /// Whether a row matches; `value` gives its value of the field at that position of
    /// the list that the query was parsed for.
    pub fn matches<'a>(&self, value: &dyn Fn(usize) -> Value<'a>) -> bool {
        self.root.matches(value)
    }
}

impl Node {
    fn matches<'a>(&self, value: &dyn Fn(usize) -> Value<'a>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(value)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(value)),
            Self::Not(part) => !part.matches(value),
            Self::Text(field, operator, wanted) => match value(*field) {
                Value::Text(found) => compare_text(found, *operator, wanted),
                Value::Bytes(_) | Value::Missing => false,
            },
            Self::Bytes(field, operator, wanted) => match value(*field) {
                Value::Bytes(found) => compare_bytes(found, *operator, *wanted),
                Value::Text(_) | Value::Missing => false,
            },
            Self::Word(fields, word) => fields.iter().any(|field| match value(*field) {
                Value::Text(found) => contains(found, word),
                Value::Bytes(_) | Value::Missing => false,
            }),
        }
    }
}

fn compare_text(found: &str, operator: Operator, wanted: &str) -> bool {
    match operator {
        Operator::Equal => found == wanted,
        Operator::NotEqual => found != wanted,
        Operator::Less => found < wanted,
        Operator::LessOrEqual => found <= wanted,
        Operator::Greater => found > wanted,
        Operator::GreaterOrEqual => found >= wanted,
        Operator::Contains => contains(found, wanted),
        Operator::Lacks => !contains(found, wanted),
    }
}

fn compare_bytes(found: u64, operator: Operator, wanted: u64) -> bool {
    match operator {
        Operator::Equal => found == wanted,
        Operator::NotEqual => found != wanted,
        Operator::Less => found < wanted,
        Operator::LessOrEqual => found <= wanted,
        Operator::Greater => found > wanted,
        Operator::GreaterOrEqual => found >= wanted,
        // The parser refuses these for bytes.
        Operator::Contains | Operator::Lacks => false,
    }
}

/// `wanted` is in lower case already. ASCII rows, nearly all, are searched in place.
fn contains(found: &str, wanted: &str) -> bool {
    if found.is_ascii() {
        let (found, wanted) = (found.as_bytes(), wanted.as_bytes());
        return wanted.is_empty()
            || found
                .windows(wanted.len())
                .any(|part| part.eq_ignore_ascii_case(wanted));
    }
    found.to_lowercase().contains(wanted)
}

#[cfg(test)]
mod tests;

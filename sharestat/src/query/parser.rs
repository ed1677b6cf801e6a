//! Tokens to a tree. `or` binds weakest, then `and` (which may be left out), then `not`.

use std::ops::Range;

use super::{
    DEEPEST, Field, FieldKind, Node, Operator, QueryError,
    lexer::{Placed, Token, tokens},
    parse_size,
};

pub(super) fn parse(text: &str, fields: &[Field]) -> Result<Node, QueryError> {
    let mut parser = Parser {
        text,
        fields,
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
    };
    if parser.tokens.is_empty() {
        return Ok(Node::All(Vec::new()));
    }
    let root = parser.any()?;
    match parser.peek() {
        None => Ok(root),
        Some((_, place)) => {
            let place = place.clone();
            Err(parser.error(place, "this ')' closes nothing: remove it"))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    fields: &'a [Field],
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Node, QueryError> {
        let mut parts = vec![self.all()?];
        while self.take_keyword("or") {
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Node::Any))
    }

    fn all(&mut self) -> Result<Node, QueryError> {
        let mut parts = vec![self.part()?];
        loop {
            if self.take_keyword("and") {
                parts.push(self.part()?);
            } else if self.at_end_of_all() {
                return Ok(single_or(parts, Node::All));
            } else {
                parts.push(self.part()?);
            }
        }
    }

    fn at_end_of_all(&self) -> bool {
        match self.peek() {
            None | Some((Token::Close, _)) => true,
            Some((token, _)) => is_keyword(token, "or"),
        }
    }

    fn part(&mut self) -> Result<Node, QueryError> {
        let Some((token, place)) = self.peek().cloned() else {
            let end = self.text.len();
            return Err(self.error(end..end, "a condition is missing here, such as 'dup>10MiB'"));
        };
        if is_keyword(&token, "or") || is_keyword(&token, "and") {
            return Err(self.error(place, "a condition is missing before this word"));
        }
        self.next += 1;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(place, format!("nested more than {DEEPEST} deep")));
        }
        let node = if token == Token::Not || is_keyword(&token, "not") {
            Node::Not(Box::new(self.part()?))
        } else {
            match token {
                Token::Open => self.group(place)?,
                Token::Word { text, quoted } => self.condition(&text, quoted, place)?,
                Token::Close | Token::Operator(_) | Token::Not => {
                    return Err(self.error(place, "a field name is missing before this"));
                }
            }
        };
        self.depth -= 1;
        Ok(node)
    }

    fn group(&mut self, opened: Range<usize>) -> Result<Node, QueryError> {
        let inner = self.any()?;
        match self.peek() {
            Some((Token::Close, _)) => {
                self.next += 1;
                Ok(inner)
            }
            _ => Err(self.error(opened, "this '(' is never closed")),
        }
    }

    /// A word alone, or `field operator value`.
    fn condition(
        &mut self,
        word: &str,
        quoted: bool,
        place: Range<usize>,
    ) -> Result<Node, QueryError> {
        let Some((Token::Operator(operator), sign)) = self.peek().cloned() else {
            return Ok(self.word(word));
        };
        self.next += 1;
        let known = if quoted { None } else { self.find(word) };
        let Some((position, kind)) = known else {
            let names: Vec<_> = self.fields.iter().map(|field| field.name).collect();
            let message = format!("there is no field '{word}' here: use {}", names.join(", "));
            return Err(self.error(place, message));
        };
        let Some((Token::Word { text: value, .. }, value_place)) = self.peek().cloned() else {
            return Err(self.error(sign, "a value is missing after this"));
        };
        self.next += 1;
        match (kind, operator) {
            (FieldKind::Text, Operator::Contains | Operator::Lacks) => {
                Ok(Node::Text(position, operator, value.to_lowercase()))
            }
            (FieldKind::Text, _) => Ok(Node::Text(position, operator, value)),
            (FieldKind::Bytes, Operator::Contains | Operator::Lacks) => {
                let message = format!("'{word}' is a size: compare it with =, !=, <, <=, > or >=");
                Err(self.error(sign, message))
            }
            (FieldKind::Bytes, _) => {
                let bytes = parse_size(&value).ok_or_else(|| {
                    let message = format!("'{value}' is no size: write one like 10MiB or 4096");
                    self.error(value_place, message)
                })?;
                Ok(Node::Bytes(position, operator, bytes))
            }
        }
    }

    fn word(&self, word: &str) -> Node {
        let texts = self.fields.iter().enumerate();
        let texts = texts.filter(|(_, field)| field.kind == FieldKind::Text);
        Node::Word(
            texts.map(|(position, _)| position).collect(),
            word.to_lowercase(),
        )
    }

    fn find(&self, name: &str) -> Option<(usize, FieldKind)> {
        let same = |known: &str| known.eq_ignore_ascii_case(name);
        let position = self
            .fields
            .iter()
            .position(|field| same(field.name) || field.aliases.iter().any(|alias| same(alias)))?;
        Some((position, self.fields[position].kind))
    }

    fn peek(&self) -> Option<&Placed> {
        self.tokens.get(self.next)
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self
            .peek()
            .is_some_and(|(token, _)| is_keyword(token, keyword));
        self.next += usize::from(found);
        found
    }

    fn error(&self, place: Range<usize>, message: impl Into<String>) -> QueryError {
        QueryError::new(self.text, place, message)
    }
}

fn is_keyword(token: &Token, keyword: &str) -> bool {
    matches!(token, Token::Word { text, quoted: false } if text.eq_ignore_ascii_case(keyword))
}

fn single_or(mut parts: Vec<Node>, several: fn(Vec<Node>) -> Node) -> Node {
    if parts.len() == 1 {
        parts.swap_remove(0)
    } else {
        several(parts)
    }
}

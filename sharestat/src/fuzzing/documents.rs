//! Parsers whose whole interface is public: documents and what people type.

use std::{io, path::Path, str};

use crate::{
    compare::{
        self,
        check::{Check, config::Config, rule::Rule},
        diff::Diff,
    },
    model::units::Bytes,
    plan::mix::Mix,
    query::{Field, FieldKind, Query, Value, parse_size},
    report::{self, host, text::Layout},
    snapshot::file,
    tui::keys::Key,
};

/// A report, then every format it can be written in, and a comparison with itself.
pub(super) fn report(input: &[u8]) -> bool {
    let Ok(report) = report::read::parse(input, "the input") else {
        return false;
    };
    let layout = Layout {
        width: Some(80),
        styled: true,
    };
    // Writing nowhere cannot fail; what is looked for is a crash.
    let _ = report::text::write(&report, layout, io::sink());
    let _ = report::json::write(&report, io::sink());
    let _ = report::ndjson::write(&report, io::sink());
    let _ = report::csv::write(&report, io::sink());
    let _ = report::markdown::write(&report, io::sink());
    let _ = report::html::write(&report, io::sink());
    let _ = report::openmetrics::write(&report, io::sink());
    let diff = Diff::new(&report, &report, std::slice::from_ref(&report));
    let _ = compare::text::diff(&diff, layout, 0, io::sink());
    let _ = compare::markdown::diff(&diff, 0, io::sink());
    let rules = [Rule::usual()];
    let check = Check::new(&rules, Some(&report), &report, &[]);
    let _ = compare::sarif::check(&check, Path::new("the input"), io::sink());
    let _ = compare::junit::check(&check, io::sink());
    true
}

/// A table of pages, a recording or a report, told apart by what is in it.
pub(super) fn measurement_file(input: &[u8]) -> bool {
    match file::of_bytes(input.to_vec(), "the input".to_owned(), None) {
        Ok(_) => true,
        Err(error) => {
            let sentence = error.to_string();
            assert!(!sentence.contains('\n'), "'{sentence}' is more than a line");
            false
        }
    }
}

/// The mix of `plan`.
pub(super) fn plan_mix(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else {
        return false;
    };
    match Mix::parse(text) {
        Ok(_) => true,
        Err(error) => {
            let lines = text.matches('\n').count() + 1;
            assert!((1..=lines).contains(&error.line), "{error} of {lines}");
            false
        }
    }
}

/// The rules of `check`, from a file and from a flag.
pub(super) fn check_config(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else {
        return false;
    };
    let _ = Rule::parse(text);
    match Config::parse(text) {
        Ok(_) => true,
        Err(sentence) => {
            assert!(!sentence.contains('\n'), "'{sentence}' is more than a line");
            false
        }
    }
}

const FIELDS: [Field; 2] = [
    Field {
        name: "path",
        aliases: &["file"],
        kind: FieldKind::Text,
    },
    Field {
        name: "dup",
        aliases: &["duplicate"],
        kind: FieldKind::Bytes,
    },
];

/// A query, asked for a row and for one without values; and sizes.
pub(super) fn query(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else {
        return false;
    };
    if let Some(size) = parse_size(text) {
        let _ = Bytes(size).to_string();
    }
    let Ok(query) = Query::parse(text, &FIELDS) else {
        return false;
    };
    let row = |field| match field {
        0 => Value::Text("/usr/lib/Ä"),
        _ => Value::Bytes(4096),
    };
    let _ = query.matches(&row);
    let _ = query.matches(&|_| Value::Missing);
    true
}

/// The name of a key, which reads back as it is printed.
pub(super) fn key(input: &[u8]) -> bool {
    let Ok(key) = String::from_utf8_lossy(input).parse::<Key>() else {
        return false;
    };
    assert_eq!(key.to_string().parse::<Key>().as_ref(), Ok(&key));
    true
}

/// What the host says of itself: a list of processors, ELF notes.
pub(super) fn host(input: &[u8]) -> bool {
    let counted = str::from_utf8(input).ok().and_then(host::count_list);
    counted.is_some() || host::build_id(input).is_some()
}

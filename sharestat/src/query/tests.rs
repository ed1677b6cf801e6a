use proptest::prelude::*;

use super::*;

const FIELDS: [Field; 3] = [
    Field {
        name: "path",
        aliases: &[],
        kind: FieldKind::Text,
    },
    Field {
        name: "fs",
        aliases: &["type"],
        kind: FieldKind::Text,
    },
    Field {
        name: "duplicate",
        aliases: &["dup"],
        kind: FieldKind::Bytes,
    },
];

fn holds(query: &str, path: &str, fs: &str, duplicate: u64) -> bool {
    let query = Query::parse(query, &FIELDS).unwrap_or_else(|error| panic!("{query}: {error}"));
    query.matches(&|field| match field {
        0 => Value::Text(path),
        1 => Value::Text(fs),
        2 => Value::Bytes(duplicate),
        _ => Value::Missing,
    })
}

fn fails(query: &str) -> QueryError {
    Query::parse(query, &FIELDS).expect_err(query)
}

#[test]
fn conditions_stand_for_all_unless_or_is_written() {
    let row = |query| holds(query, "/usr/lib/Python3/os.py", "xfs", 20 << 20);
    assert!(row(""));
    assert!(row("dup>10MiB path~python fs=xfs"));
    assert!(row("dup > 10MiB and path ~ python"));
    assert!(!row("dup>10MiB path~ruby"));
    assert!(row("path~ruby or dup>=20m"));
    assert!(row("not path~ruby"));
    assert!(row("!path~ruby"));
    assert!(row("path!~ruby type!=ext4"));
    assert!(!row("(path~ruby or path~perl) fs=xfs"));
    assert!(row("path~ruby fs=xfs or dup=20971520"));
    assert!(!row("path~ruby (fs=xfs or dup=20971520)"));
}

#[test]
fn a_word_alone_is_searched_in_every_text() {
    assert!(holds("XFS", "/a", "xfs", 0));
    assert!(holds("ümlaut", "/home/Ümlaut", "ext4", 0));
    assert!(!holds("btrfs", "/a", "xfs", 0));
    assert!(holds("\"or\"", "/bin/or", "xfs", 0));
}

#[test]
fn quoted_values_may_have_blanks_and_signs() {
    assert!(holds("path='/a b/(c)'", "/a b/(c)", "xfs", 0));
    assert!(holds("path~x=y", "/x=y", "xfs", 0));
}

#[test]
fn errors_point_at_the_mistake() {
    let error = fails("fs=xfs dupe>1");
    assert_eq!(error.place, 7..11);
    assert_eq!(
        error.to_string(),
        "there is no field 'dupe' here: use path, fs, duplicate (at column 8)"
    );
    assert_eq!(fails("dup>ten").place, 4..7);
    assert_eq!(fails("dup~10").place, 3..4);
    assert_eq!(fails("(fs=xfs").place, 0..1);
    assert_eq!(fails("fs=xfs)").place, 6..7);
    assert_eq!(fails("fs=").place, 2..3);
    assert_eq!(fails("fs=xfs or").place, 9..9);
    assert_eq!(fails("or fs=xfs").place, 0..2);
    assert_eq!(fails("path='a").place, 5..7);
    assert_eq!(fails("=xfs").place, 0..1);
    assert_eq!(fails("ü dup>x").column(), 7);
    assert!(fails(&"(".repeat(1000)).message.contains("deep"));
    assert!(fails(&"!".repeat(1000)).message.contains("deep"));
}

#[test]
fn sizes_have_binary_and_decimal_units() {
    assert_eq!(parse_size("4096"), Some(4096));
    assert_eq!(parse_size("10MiB"), Some(10 << 20));
    assert_eq!(parse_size("10m"), Some(10 << 20));
    assert_eq!(parse_size("10MB"), Some(10_000_000));
    assert_eq!(parse_size("1.5k"), Some(1536));
    assert_eq!(parse_size("7b"), Some(7));
    for wrong in ["", "M", ".", "-1", "1..2", "1xb", "99999999E", "1e5k"] {
        assert_eq!(parse_size(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_query_or_an_error_inside_it(text in "[a-z=~<>!()'\" or0-9MüB.]{0,40}") {
        match Query::parse(&text, &FIELDS) {
            Ok(query) => {
                query.matches(&|_| Value::Missing);
            }
            Err(error) => {
                prop_assert!(error.place.end <= text.len());
                prop_assert!(text.is_char_boundary(error.place.start));
            }
        }
    }

    #[test]
    fn not_turns_the_answer_round(dup in 0_u64..100, limit in 0_u64..100) {
        let plain = holds(&format!("dup<{limit}"), "/", "xfs", dup);
        prop_assert_eq!(plain, !holds(&format!("not dup<{limit}"), "/", "xfs", dup));
        prop_assert_eq!(plain, dup < limit);
    }
}

//! Two escapes: the octal one in which the kernel prints paths (`mangle_path`,
//! `seq_escape`, `fs/seq_file.c`), and ours, which makes any path safe to print.

use std::{ffi::OsStr, fmt::Write, os::unix::ffi::OsStrExt, path::Path};

/// Undoes the kernel's octal escapes (`\040` is a space). A backslash that starts no
/// escape stands for itself.
#[must_use]
pub fn decode_octal(escaped: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'\\'
            && let Some((byte, after)) = octal_digits(tail)
        {
            plain.push(byte);
            rest = after;
        } else {
            plain.push(first);
            rest = tail;
        }
    }
    plain
}

/// The byte that three octal digits at the start of `digits` stand for.
fn octal_digits(digits: &[u8]) -> Option<(u8, &[u8])> {
    let (three, rest) = digits.split_at_checked(3)?;
    let mut value = 0_u32;
    for digit in three {
        value = value * 8 + char::from(*digit).to_digit(8)?;
    }
    Some((u8::try_from(value).ok()?, rest))
}

/// The path as text for a terminal, a table or JSON: invalid UTF-8 becomes U+FFFD, and
/// control characters (newline, escape, …) are written as Rust escapes (`\n`, `\u{1b}`),
/// so that a file name can neither break a line nor drive the terminal.
#[must_use]
pub fn printable(path: &Path) -> String {
    let text = path.as_os_str().to_string_lossy();
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_direction_mark(character) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Marks that reorder the text after them: they can make one name look like another.
const fn is_direction_mark(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The bytes as a path, without a copy.
#[must_use]
pub fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn octal_escapes_become_their_bytes() {
        assert_eq!(decode_octal(br"/a\040b\134c"), br"/a b\c");
        assert_eq!(decode_octal(br"\011\012\303\244"), "\t\nä".as_bytes());
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(decode_octal(br"\0x\9\777\04"), br"\0x\9\777\04");
    }

    #[test]
    fn a_name_cannot_break_the_line() {
        let name = path_of(b"/tmp/a\nb\x1b[31m\xff");
        assert_eq!(printable(name), "/tmp/a\\nb\\u{1b}[31m\u{fffd}");
    }

    proptest! {
        #[test]
        fn decoding_inverts_the_kernel(name in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut escaped = Vec::new();
            for byte in &name {
                // mangle_path(…, " \t\n\\") of fs/proc_namespace.c.
                if b" \t\n\\".contains(byte) {
                    escaped.extend_from_slice(format!("\\{byte:03o}").as_bytes());
                } else {
                    escaped.push(*byte);
                }
            }
            prop_assert_eq!(decode_octal(&escaped), name);
        }
    }
}

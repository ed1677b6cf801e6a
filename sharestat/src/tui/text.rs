//! Text that fits into terminal cells: control characters replaced, wide characters
//! never cut in half.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that `text` takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` without anything that moves the cursor or turns the writing direction; with
/// `ascii`, also without anything that needs more than ASCII. Such characters become `?`.
#[must_use]
pub fn clean(text: &str, ascii: bool) -> String {
    let safe = |letter: char| {
        if ascii {
            letter == ' ' || letter.is_ascii_graphic()
        } else {
            !letter.is_control() && !turns_text(letter)
        }
    };
    text.chars()
        .map(|letter| if safe(letter) { letter } else { '?' })
        .collect()
}

/// Marks that change what neighbouring text looks like: bidirectional controls, line
/// separators, the byte order mark, tags.
const fn turns_text(letter: char) -> bool {
    matches!(letter,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// The beginning of `text` in at most `columns`; `mark` shows that something was cut.
#[must_use]
pub fn keep_start(text: &str, columns: usize, mark: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(mark));
    let mut kept = take(text.graphemes(true), room).concat();
    if width(mark) <= columns {
        kept.push_str(mark);
    }
    kept
}

/// The end of `text` in at most `columns`, for paths, whose end says most.
#[must_use]
pub fn keep_end(text: &str, columns: usize, mark: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(mark));
    let mut kept = take(text.graphemes(true).rev(), room);
    if width(mark) <= columns {
        kept.push(mark);
    }
    kept.into_iter().rev().collect()
}

/// Beginning and end of `text` in at most `columns`, for paths: those that differ only in
/// the middle are rarer than those that differ at either end.
#[must_use]
pub fn keep_ends(text: &str, columns: usize, mark: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(mark));
    let head = take(text.graphemes(true), room * 2 / 5).concat();
    let tail = take(text.graphemes(true).rev(), room - width(&head));
    let tail: String = tail.into_iter().rev().collect();
    if width(mark) <= columns {
        format!("{head}{mark}{tail}")
    } else {
        tail
    }
}

fn take<'a>(parts: impl Iterator<Item = &'a str>, room: usize) -> Vec<&'a str> {
    let mut used = 0;
    parts
        .take_while(|part| {
            used += width(part);
            used <= room
        })
        .collect()
}

/// `text` with blanks after it up to `columns`.
#[must_use]
pub fn pad_right(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `text` with blanks before it up to `columns`.
#[must_use]
pub fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `text` broken into lines of at most `columns` at blanks, words longer than that cut.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let word = keep_start(word, columns, "");
        if let Some(line) = lines.last_mut() {
            if line.is_empty() {
                *line = word;
                continue;
            }
            if width(line) + 1 + width(&word) <= columns {
                line.push(' ');
                line.push_str(&word);
                continue;
            }
        }
        lines.push(word);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wide_characters_are_kept_whole() {
        assert_eq!(keep_start("漢字漢字", 5, "…"), "漢字…");
        assert_eq!(keep_start("漢字漢字", 4, "…"), "漢…");
        assert_eq!(keep_end("/usr/漢字", 6, "…"), "…/漢字");
        assert_eq!(keep_end("/usr/漢字", 4, "…"), "…字");
        assert_eq!(keep_start("abc", 0, "…"), "");
        assert_eq!(keep_end("abc", 1, "…"), "…");
    }

    #[test]
    fn paths_are_cut_in_the_middle() {
        let cut = |path| keep_ends(path, 16, "…");
        assert_eq!(cut("/srv/web/usr/lib/libc.so"), "/srv/w…b/libc.so");
        assert_ne!(
            cut("/srv/web/usr/lib/libc.so"),
            cut("/opt/web/usr/lib/libc.so")
        );
        assert_eq!(keep_ends("/漢字/漢字/漢", 7, "…"), "/…字/漢");
        assert_eq!(keep_ends("abc", 1, "…"), "…");
        assert_eq!(keep_ends("abc", 0, "…"), "");
    }

    #[test]
    fn nothing_that_moves_the_cursor_survives() {
        assert_eq!(clean("a\u{1b}[2J\n\u{202e}b", false), "a?[2J??b");
        assert_eq!(clean("Ümlaut …", true), "?mlaut ?");
    }

    #[test]
    fn lines_break_at_blanks() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensible", 4), ["inco"]);
    }

    proptest! {
        #[test]
        fn cut_text_never_takes_more_room(text in "\\PC{0,40}", columns in 0_usize..50) {
            prop_assert!(width(&keep_start(&text, columns, "…")) <= columns);
            prop_assert!(width(&keep_end(&text, columns, "~")) <= columns);
            prop_assert!(width(&keep_ends(&text, columns, "~")) <= columns);
        }
    }
}

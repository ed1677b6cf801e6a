//! Building blocks of the line views: section titles, bars, sparklines.

use ratatui::text::{Line, Span};

use super::super::{
    text::{clean, keep_start, width},
    theme::{Role, Theme},
};

/// `Title ───────` over the whole width.
pub(super) fn title(text: &str, columns: usize, theme: &Theme) -> Line<'static> {
    let text = keep_start(text, columns, theme.glyphs.cut);
    let rest = columns.saturating_sub(width(&text) + 1);
    Line::from(vec![
        Span::styled(text, theme.style(Role::Title)),
        Span::raw(" "),
        Span::styled(theme.glyphs.line.repeat(rest), theme.style(Role::Dim)),
    ])
}

/// A bar of at most `columns` for a ratio of 0 to 1. Anything above 0 shows something.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the ratio is clamped and columns are few"
)]
pub(super) fn bar(ratio: f64, columns: usize, theme: &Theme) -> String {
    let steps = theme.glyphs.bar;
    let ratio = if ratio.is_finite() {
        ratio.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let mut eighths = (ratio * (columns * steps.len()) as f64).round() as usize;
    if ratio > 0.0 && columns > 0 {
        eighths = eighths.max(1);
    }
    let full = steps[steps.len() - 1].repeat(eighths / steps.len());
    match eighths % steps.len() {
        0 => full,
        part => full + steps[part - 1],
    }
}

/// The newest values as a sparkline of at most `columns`, scaled to the largest of them.
/// A missing value is a blank; 0 is the lowest step.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the ratio is clamped to 0 to 7"
)]
pub(super) fn spark(
    values: impl DoubleEndedIterator<Item = Option<f64>>,
    columns: usize,
    theme: &Theme,
) -> String {
    let mut newest: Vec<Option<f64>> = values.rev().take(columns).collect();
    newest.reverse();
    let most = newest.iter().flatten().copied().fold(0.0, f64::max);
    let step = |value: Option<f64>| match value {
        None => " ",
        Some(value) if most > 0.0 => {
            theme.glyphs.spark[(value / most * 7.0).round().clamp(0.0, 7.0) as usize]
        }
        Some(_) => theme.glyphs.spark[0],
    };
    newest.into_iter().map(step).collect()
}

/// Text from outside, cleaned and cut.
pub(super) fn safe(text: &str, columns: usize, theme: &Theme) -> String {
    keep_start(&clean(text, theme.glyphs.ascii), columns, theme.glyphs.cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_the_smallest_part_and_never_overflow() {
        let theme = Theme::new(true, false);
        assert_eq!(bar(0.0, 10, &theme), "");
        assert_eq!(bar(1e-9, 10, &theme), "▏");
        assert_eq!(bar(0.5, 4, &theme), "██");
        assert_eq!(bar(0.5, 1, &theme), "▌");
        assert_eq!(bar(7.0, 3, &theme), "███");
        assert_eq!(bar(f64::NAN, 3, &theme), "");
        assert_eq!(bar(0.5, 4, &Theme::new(true, true)), "##");
    }

    #[test]
    fn sparklines_keep_the_newest() {
        let theme = Theme::new(true, false);
        let values = [9.0, 0.0, 7.0].map(Some);
        assert_eq!(spark(values.into_iter(), 2, &theme), "▁█");
        assert_eq!(spark([None, Some(0.0)].into_iter(), 5, &theme), " ▁");
    }
}

//! Events: what happens to the page cache per second, and distributions.

use ratatui::text::{Line, Span};

use super::{
    super::{
        frame::{Histogram, Rates},
        state::State,
        text::{pad_left, pad_right, width},
        theme::Role,
        units::{count, percent, ratio},
    },
    Section,
    bars::{bar, safe, title},
    overview::rate_line,
};

/// One rate of the list.
type RateOf = fn(&Rates) -> Option<f64>;

const RATES: [(&str, RateOf); 6] = [
    ("adds", |rates| Some(rates.adds)),
    ("reclaims", |rates| rates.reclaims),
    ("truncates", |rates| rates.truncates),
    ("dirtied", |rates| Some(rates.dirtied)),
    ("avoidable reads", |rates| rates.avoidable_reads),
    ("avoidable reclaims", |rates| rates.avoidable_reclaims),
];

pub(super) fn sections(state: &State, columns: usize) -> Vec<Section> {
    let mut rates = vec![title("Pages per second", columns, &state.theme)];
    for (label, of) in RATES {
        let now = of(&state.frame().rates);
        rates.push(rate_line(state, columns, label, now, |sample| {
            of(&sample.rates)
        }));
    }
    let mut sections = vec![rates];
    let histograms = &state.frame().histograms;
    sections.extend(
        histograms
            .iter()
            .map(|histogram| bars(state, columns, histogram)),
    );
    if histograms.is_empty() {
        sections.push(vec![
            title("Distributions", columns, &state.theme),
            Line::raw("  nothing counted yet"),
        ]);
    }
    sections
}

fn bars(state: &State, columns: usize, histogram: &Histogram) -> Section {
    let theme = &state.theme;
    let below = if theme.glyphs.ascii { "<=" } else { "≤" };
    let unit = safe(&histogram.unit, 8, theme);
    let all: u64 = histogram.bars.iter().map(|(_, values)| values).sum();
    let most = histogram
        .bars
        .iter()
        .map(|(_, values)| *values)
        .max()
        .unwrap_or(0);
    let name = safe(&histogram.name, columns, theme);
    let mut lines = vec![title(&format!("{name}: {}", count(all)), columns, theme)];
    for (bound, values) in &histogram.bars {
        let bound = pad_left(&format!("{below} {} {unit}", count(*bound)), 16);
        let share = pad_left(&percent(ratio(*values, all)), 7);
        let number = pad_left(&count(*values), 11);
        let room = columns.saturating_sub(2 + width(&bound) + 2 + 7 + 1 + width(&number) + 2);
        let bar = pad_right(&bar(ratio(*values, most), room, theme), room);
        lines.push(Line::from(vec![
            Span::raw(format!("  {bound} {number} {share}  ")),
            Span::styled(bar, theme.style(Role::Bar)),
        ]));
    }
    lines
}

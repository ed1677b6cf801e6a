//! Overview: how much is cached, distinct and duplicate, what sharing would save, where
//! the copies are, what happens, how complete the numbers are and what they cost.

use ratatui::text::{Line, Span};

use super::{
    super::{
        frame::{Census, Mechanism, Sample},
        state::State,
        text::{keep_start, pad_left, pad_right, width},
        theme::Role,
        units::{count, nanoseconds, percent, rate, ratio, span},
    },
    Section,
    bars::{bar, safe, spark, title},
};
use crate::model::{page::SkipReason, units::Bytes};

pub(super) fn sections(state: &State, columns: usize) -> Vec<Section> {
    if !state.frame().is_measured() {
        return vec![vec![
            title("Page cache", columns, &state.theme),
            Line::raw("  nothing is measured yet"),
        ]];
    }
    vec![
        cache(state, columns),
        savings(state, columns),
        scopes(state, columns),
        activity(state, columns),
        coverage(state, columns),
        cost(state, columns),
    ]
}

/// How old the lists are, when they are older than the sums; see
/// [`ListsAsOf`](super::super::frame::ListsAsOf).
pub(super) fn as_of(state: &State) -> String {
    match state.frame().lists.behind_ms {
        0..1_000 => String::new(),
        behind => {
            let behind = span(std::time::Duration::from_millis(behind));
            format!(" (as of {behind} before the sums)")
        }
    }
}

/// `  label       1.2 GiB  24.3 %  ███████ rest`.
fn amount(
    state: &State,
    columns: usize,
    label: &str,
    bytes: u64,
    longest: u64,
    rest: &str,
) -> Line<'static> {
    let theme = &state.theme;
    let resident = Bytes::of_pages(state.frame().totals.resident).0;
    let size = pad_left(&state.units.show(bytes), state.units.columns(resident));
    let share = pad_left(&percent(ratio(bytes, resident)), 7);
    let label = pad_right(&safe(label, 11, theme), 11);
    let used = 2 + 11 + 1 + size.len() + 2 + 7 + 2;
    let room = columns.saturating_sub(used + if rest.is_empty() { 0 } else { width(rest) + 1 });
    // Without room for a bar that says anything, the words have it.
    let bar = if room < 6 {
        String::new()
    } else {
        bar(ratio(bytes, longest), room, theme)
    };
    let bar = if room < 6 || rest.is_empty() {
        bar
    } else {
        pad_right(&bar, room + 1)
    };
    Line::from(vec![
        Span::raw(format!("  {label} ")),
        Span::styled(size, theme.style(Role::Strong)),
        Span::raw(format!("  {share}  ")),
        Span::styled(bar, theme.style(Role::Bar)),
        Span::styled(
            keep_start(rest, columns.saturating_sub(used), theme.glyphs.cut),
            theme.style(Role::Dim),
        ),
    ])
}

fn cache(state: &State, columns: usize) -> Section {
    let totals = &state.frame().totals;
    let all = Bytes::of_pages(totals.resident).0;
    let row = |label, pages| amount(state, columns, label, Bytes::of_pages(pages).0, all, "");
    vec![
        title(
            &format!("Page cache{}", state.units.note()),
            columns,
            &state.theme,
        ),
        row("resident", totals.resident),
        row("hashed", totals.hashed),
        row("distinct", totals.distinct),
        row("duplicate", totals.duplicate),
        row("zero", totals.zero_copies),
        row("eligible", totals.eligible),
    ]
}

fn savings(state: &State, columns: usize) -> Section {
    let mechanisms = &state.frame().mechanisms;
    let longest = mechanisms.iter().map(|row| row.saving.0).max().unwrap_or(0);
    let mut lines = vec![title(
        &format!("Sharing would save, by mechanism{}", as_of(state)),
        columns,
        &state.theme,
    )];
    let words = |row: &Mechanism| {
        let groups = if row.groups == 1 { "group" } else { "groups" };
        format!(
            "{} {groups}, {}",
            count(row.groups),
            safe(&row.confidence, 10, &state.theme)
        )
    };
    let wide = mechanisms
        .iter()
        .map(|row| width(&words(row)))
        .max()
        .unwrap_or(0);
    for row in mechanisms {
        let rest = pad_left(&words(row), wide);
        lines.push(amount(
            state,
            columns,
            &row.name,
            row.saving.0,
            longest,
            &rest,
        ));
    }
    if mechanisms.is_empty() {
        lines.push(Line::raw("  not computed yet"));
    }
    lines
}

fn scopes(state: &State, columns: usize) -> Section {
    let scopes = &state.frame().scopes;
    let longest = scopes.iter().map(|row| row.duplicate.0).max().unwrap_or(0);
    let mut lines = vec![title(
        &format!("Duplicates, by nearest copy{}", as_of(state)),
        columns,
        &state.theme,
    )];
    for row in scopes {
        lines.push(amount(
            state,
            columns,
            &row.name,
            row.duplicate.0,
            longest,
            "",
        ));
    }
    if scopes.is_empty() {
        lines.push(Line::raw("  not computed yet"));
    }
    lines
}

/// One rate with its past.
pub(super) fn rate_line(
    state: &State,
    columns: usize,
    label: &str,
    now: Option<f64>,
    past: impl Fn(&Sample) -> Option<f64>,
) -> Line<'static> {
    let theme = &state.theme;
    let shown = now.map_or_else(|| "unknown".to_owned(), rate);
    let used = 2 + 18 + 1 + 10 + 2;
    let history = state.frame().history.iter().map(past);
    let line = spark(history, columns.saturating_sub(used), theme);
    let role = if now.is_some() {
        Role::Strong
    } else {
        Role::Dim
    };
    Line::from(vec![
        Span::raw(format!("  {} ", pad_right(label, 18))),
        Span::styled(pad_left(&shown, 10), theme.style(role)),
        Span::raw("  "),
        Span::styled(line, theme.style(Role::Bar)),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "a sparkline has eight steps")]
fn activity(state: &State, columns: usize) -> Section {
    let rates = &state.frame().rates;
    let theme = &state.theme;
    let duplicate = Bytes::of_pages(state.frame().totals.duplicate).0;
    let past = state
        .frame()
        .history
        .iter()
        .map(|sample| Some(sample.duplicate.0 as f64));
    let line = spark(past, columns.saturating_sub(33), theme);
    let mut lines = vec![
        title("Now, and before", columns, theme),
        Line::from(vec![
            Span::raw(format!("  {} ", pad_right("duplicate", 18))),
            Span::styled(
                pad_left(&state.units.show(duplicate), 10),
                theme.style(Role::Strong),
            ),
            Span::raw("  "),
            Span::styled(line, theme.style(Role::Bar)),
        ]),
        rate_line(state, columns, "adds", Some(rates.adds), |sample| {
            Some(sample.rates.adds)
        }),
        rate_line(state, columns, "reclaims", rates.reclaims, |sample| {
            sample.rates.reclaims
        }),
    ];
    // These need content history: they are shown where they are measured.
    if rates.avoidable_reads.is_some() {
        lines.push(rate_line(
            state,
            columns,
            "avoidable reads",
            rates.avoidable_reads,
            |sample| sample.rates.avoidable_reads,
        ));
    }
    if rates.avoidable_reclaims.is_some() {
        let now = rates.avoidable_reclaims;
        lines.push(rate_line(
            state,
            columns,
            "avoidable reclaims",
            now,
            |sample| sample.rates.avoidable_reclaims,
        ));
    }
    lines
}

fn coverage(state: &State, columns: usize) -> Section {
    let frame = state.frame();
    let totals = &frame.totals;
    let theme = &state.theme;
    let all = Bytes::of_pages(totals.resident).0;
    let mut lines = vec![title("Coverage", columns, theme)];
    lines.push(match frame.census {
        Census::Done => Line::styled(
            "  census done: every resident page seen",
            theme.style(Role::Good),
        ),
        Census::Running { percent } => Line::styled(
            format!("  census {percent} %: pages cached before the start are still missing"),
            theme.style(Role::Warning),
        ),
    });
    let row = |label: &str, pages| amount(state, columns, label, Bytes::of_pages(pages).0, all, "");
    lines.push(row("hashed", totals.hashed));
    for (reason, pages) in SkipReason::ALL.iter().zip(totals.skipped) {
        if pages > 0 {
            lines.push(row(skip_name(*reason), pages));
        }
    }
    let (lost, role) = match frame.events_lost {
        0 => ("no events lost".to_owned(), Role::Good),
        lost => (
            format!("{} events lost: a census repairs that", count(lost)),
            Role::Bad,
        ),
    };
    lines.push(Line::styled(format!("  {lost}"), theme.style(role)));
    lines
}

const fn skip_name(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Dirty => "dirty",
        SkipReason::Writeback => "writeback",
        SkipReason::NotUptodate => "no data yet",
        SkipReason::Raced => "raced",
        SkipReason::Unreadable => "unreadable",
        SkipReason::Budget => "to be done",
    }
}

fn cost(state: &State, columns: usize) -> Section {
    let frame = state.frame();
    let cost = &frame.cost;
    let theme = &state.theme;
    let time = |value: Option<u64>| {
        let text = value.map_or_else(|| "not measured".to_owned(), nanoseconds);
        if theme.glyphs.ascii {
            text.replace('µ', "u")
        } else {
            text
        }
    };
    let fact = |label: &str, value: String| {
        Line::from(vec![
            Span::raw(format!("  {} ", pad_right(label, 18))),
            Span::styled(value, theme.style(Role::Strong)),
        ])
    };
    vec![
        title("What measuring costs", columns, theme),
        fact(
            "engine",
            safe(&frame.engine, columns.saturating_sub(21), theme),
        ),
        fact("CPU", format!("{:.1} % of one", cost.cpu_percent)),
        fact("memory", state.units.show(cost.rss.0)),
        fact("hook, median", time(cost.hook_ns_p50)),
        fact("hook, 99th pct.", time(cost.hook_ns_p99)),
    ]
}

//! Health: which hooks work, what was lost, counters, and what the numbers do not cover.

use ratatui::text::{Line, Span};

use super::{
    super::{
        frame::Census,
        state::State,
        text::{clean, pad_left, pad_right, wrap},
        theme::Role,
        units::count,
    },
    Section,
    bars::{safe, title},
};

/// Columns of the word for a hook's state, with blanks round it.
const INDENT: usize = 12;

pub(super) fn sections(state: &State, columns: usize) -> Vec<Section> {
    vec![
        hooks(state, columns),
        notes(state, columns),
        counters(state, columns),
    ]
}

fn hooks(state: &State, columns: usize) -> Section {
    let theme = &state.theme;
    let mut lines = vec![title("Kernel hooks", columns, theme)];
    for hook in &state.frame().hooks {
        let word = hook.word();
        let role = match word {
            "ok" => Role::Good,
            "missing" => Role::Bad,
            _ => Role::Warning,
        };
        lines.push(Line::from(vec![
            Span::raw("  "),
            Span::styled(pad_right(word, INDENT - 2), theme.style(role)),
            Span::raw(safe(&hook.event, columns.saturating_sub(INDENT), theme)),
        ]));
        let mut detail = hook.attached.clone();
        if hook.lost > 0 {
            detail = format!("{detail}, {} events lost", count(hook.lost));
        }
        for part in wrap(
            &clean(&detail, theme.glyphs.ascii),
            columns.saturating_sub(INDENT),
        ) {
            lines.push(Line::styled(
                format!("{:INDENT$}{part}", ""),
                theme.style(Role::Dim),
            ));
        }
        if !hook.loss.is_empty() {
            let loss = clean(&format!("loss: {}", hook.loss), theme.glyphs.ascii);
            for part in wrap(&loss, columns.saturating_sub(INDENT)) {
                lines.push(Line::raw(format!("{:INDENT$}{part}", "")));
            }
        }
    }
    if state.frame().hooks.is_empty() {
        lines.push(Line::raw("  none: this engine needs none"));
    }
    lines
}

fn notes(state: &State, columns: usize) -> Section {
    let theme = &state.theme;
    let mut lines = vec![title("What the numbers do not cover", columns, theme)];
    let limits = limits(state);
    for limit in &limits {
        let parts = wrap(&clean(limit, theme.glyphs.ascii), columns.saturating_sub(4));
        for (position, part) in parts.into_iter().enumerate() {
            let mark = if position == 0 { "* " } else { "  " };
            lines.push(Line::raw(format!("  {mark}{part}")));
        }
    }
    if limits.is_empty() {
        lines.push(Line::raw(
            "  every resident page is hashed, every hook is attached",
        ));
    }
    lines
}

/// Sentences on what is not in the numbers, the weightiest first.
fn limits(state: &State) -> Vec<String> {
    let frame = state.frame();
    if !frame.is_measured() {
        return vec!["nothing is measured yet".to_owned()];
    }
    let mut limits = Vec::new();
    if let Census::Running { percent } = frame.census {
        limits.push(format!(
            "the census is at {percent} %: pages cached before the start are still missing"
        ));
    }
    let lost: u64 = frame.events_lost + frame.hooks.iter().map(|hook| hook.lost).sum::<u64>();
    if lost > 0 {
        limits.push(format!(
            "{} events were lost since the start; the census after each loss repairs the sums",
            count(lost)
        ));
    }
    let missing = frame.hooks.iter().filter(|hook| !hook.loss.is_empty());
    limits.extend(missing.map(|hook| format!("{}: without '{}'", hook.loss, hook.event)));
    let totals = &frame.totals;
    if totals.hashed < totals.resident {
        limits.push(format!(
            "{} of {} resident pages have no hash now; the overview says why",
            count(totals.resident - totals.hashed),
            count(totals.resident)
        ));
    }
    if let Some(reason) = &frame.identity.missing {
        limits.push(format!(
            "layers, images and containers are not known: {reason}"
        ));
    }
    limits.extend(frame.notes.iter().cloned());
    limits
}

fn counters(state: &State, columns: usize) -> Section {
    let theme = &state.theme;
    let mut lines = vec![title("Counters", columns, theme)];
    for counter in &state.frame().counters {
        let value = pad_left(&count(counter.value), 16);
        let room = columns.saturating_sub(2 + 1 + value.len());
        let name = pad_right(&safe(&counter.name, room, theme), room);
        let role = if counter.value == 0 {
            Role::Dim
        } else {
            Role::Strong
        };
        lines.push(Line::from(vec![
            Span::raw(format!("  {name} ")),
            Span::styled(value, theme.style(role)),
        ]));
    }
    if state.frame().counters.is_empty() {
        lines.push(Line::raw("  none"));
    }
    lines
}

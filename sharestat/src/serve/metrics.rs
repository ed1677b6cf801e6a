//! The text of `/metrics`. Numbers of the measurement are there only while they are fresh
//! and the first census has ended; what the process itself does is always there.

use std::fmt;

use super::{
    Board,
    board::{Reading, Sample},
    own::{self, Traffic},
};
use crate::{
    model::units::Bytes,
    report::{
        document::Tool,
        openmetrics::{
            END, PREFIX,
            family::{Family, Kind, Value, append},
            host::{self, row},
        },
    },
};

/// Content type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The text.
///
/// # Errors
/// Never in practice: memory takes everything.
pub(super) fn text(board: &Board, traffic: &Traffic) -> Result<String, fmt::Error> {
    let fresh = match board.read() {
        Reading::Fresh(sample) => Some(sample),
        Reading::Starting | Reading::Silent(_) | Reading::Stopped(_) => None,
    };
    let mut families = vec![Family::gauge(
        "up",
        "1 while the measurement runs and its numbers are fresh",
        Some(Value::Whole(u64::from(fresh.is_some()))),
    )];
    match fresh.as_deref() {
        Some(sample) => families.extend(of_sample(sample)),
        None => families.push(host::build(&Tool::this())),
    }
    families.extend(traffic.families());
    let mut text = String::with_capacity(16 << 10);
    append(&mut text, Some(PREFIX), families)?;
    append(&mut text, None, own::process(board.began_at()))?;
    text.push_str(END);
    Ok(text)
}

fn of_sample(sample: &Sample) -> Vec<Family> {
    let seconds = |at: jiff::Timestamp| Some(Value::Real(at.as_duration().as_secs_f64()));
    let mut families = vec![
        Family::gauge(
            "sample_timestamp",
            "When the sums were taken",
            seconds(sample.taken_at),
        )
        .in_seconds(),
        Family::gauge(
            "census_progress_ratio",
            "How far the first census is; sums of the page cache appear when it has ended",
            Some(Value::Real(progress(sample))),
        ),
        Family::gauge(
            "index",
            "Memory that the index of contents takes",
            Some(Value::Whole(sample.index.0)),
        )
        .in_bytes(),
    ];
    families.extend(flow(sample));
    let Some(shown) = &sample.report else {
        families.push(host::build(&Tool::this()));
        return families;
    };
    let report = &shown.report;
    families.push(
        Family::gauge(
            "report_timestamp",
            "When the parts by fs, scope and mechanism were true last",
            seconds(sample.report_at),
        )
        .in_seconds(),
    );
    families.extend(host::sums(&sample.totals, &sample.coverage));
    families.extend(host::parts(
        &report.filesystems,
        &report.scopes,
        &report.mechanisms,
    ));
    families.extend(report.avoidable.iter().flat_map(host::avoidable));
    families.extend(host::coverage(&sample.coverage, &sample.hooks));
    families.extend(host::about(&report.tool, &report.host, &report.measurement));
    families
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is a small number")]
fn progress(sample: &Sample) -> f64 {
    sample.census.map_or(1.0, |percent| percent as f64 / 100.0)
}

fn flow(sample: &Sample) -> Vec<Family> {
    let flow = &sample.flow;
    let bytes = |pages| Bytes::of_pages(pages).0;
    let sum = |name, help, pages| {
        Family::counter(name, help, Some(Value::Whole(bytes(pages)))).in_bytes()
    };
    vec![
        sum("added", "Came into the page cache", flow.added),
        Family::rows(
            "removed",
            "Left the page cache, by cause",
            Kind::Counter,
            [
                ("reclaim", flow.reclaimed),
                ("truncate", flow.truncated),
                ("unknown", flow.removed_unknown),
            ]
            .map(|(cause, pages)| row("cause", cause, bytes(pages)))
            .into(),
        )
        .in_bytes(),
        sum("dirtied", "Became dirty", flow.dirtied),
        sum(
            "reclaimed_duplicate",
            "Taken by reclaim while another copy was resident",
            flow.reclaimed_duplicates,
        ),
    ]
}

/// Names of all metrics that there can be, for those that ask for them.
#[cfg(test)]
pub(crate) fn example_names() -> Vec<String> {
    let board = Board::new(std::time::Duration::from_secs(1));
    board.show(super::board::tests::sample(true));
    let text = text(&board, &Traffic::default()).unwrap_or_default();
    let samples = super::syntax::check(&text).unwrap_or_default();
    samples.into_iter().map(|sample| sample.name).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::{board::tests::sample, syntax},
        *,
    };

    fn names(board: &Board) -> Vec<(String, f64)> {
        let text = text(board, &Traffic::default()).expect("memory takes everything");
        let samples = syntax::check(&text).expect("it is OpenMetrics");
        let mut names: Vec<_> = samples
            .into_iter()
            .map(|sample| (sample.name, sample.value))
            .collect();
        names.dedup_by(|one, other| one.0 == other.0);
        names
    }

    const PROMISED: [&str; 9] = [
        "sharestat_page_cache_bytes",
        "sharestat_duplicate_bytes",
        "sharestat_reclaimable_bytes",
        "sharestat_zero_bytes",
        "sharestat_coverage_ratio",
        "sharestat_events_lost_total",
        "sharestat_hook_lost_total",
        "sharestat_hashed_bytes",
        "sharestat_avoidable_reads_bytes_total",
    ];
    const ALWAYS: [&str; 6] = [
        "sharestat_up",
        "sharestat_build_info",
        "sharestat_http_responses_total",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    ];

    #[test]
    fn fresh_numbers_are_there_and_others_are_withdrawn() {
        let board = Board::new(Duration::from_secs(1));
        let is = |names: &[(String, f64)], name| names.iter().any(|known| known.0 == name);
        let expect = |up: f64, promised: bool| {
            let names = names(&board);
            assert_eq!(names[0], ("sharestat_up".to_owned(), up));
            for name in PROMISED {
                assert_eq!(is(&names, name), promised, "{name}");
            }
            for name in ALWAYS {
                assert!(is(&names, name), "{name}");
            }
        };
        expect(0.0, false);
        board.show(sample(false));
        expect(1.0, false);
        board.show(sample(true));
        expect(1.0, true);
        board.stop("it was stopped");
        expect(0.0, false);
    }

    #[test]
    fn labels_name_no_file_whatever_the_host_caches() {
        let board = Board::new(Duration::from_secs(1));
        board.show(sample(true));
        let text = text(&board, &Traffic::default()).expect("memory takes everything");
        for sample in syntax::check(&text).expect("it is OpenMetrics") {
            let bounded = [
                "fs",
                "scope",
                "mechanism",
                "confidence",
                "reason",
                "event",
                "cause",
                "code",
                "version",
                "engine",
                "kernel",
                "arch",
            ];
            for (label, value) in sample.labels {
                assert!(bounded.contains(&label.as_str()), "{label}");
                assert!(!value.contains('/'), "{label}='{value}'");
            }
        }
    }
}

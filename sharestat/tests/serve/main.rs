//! `sharestat serve` as a whole program: what it offers and to whom, what it says when it
//! cannot, and that neither clients nor a dead collector make it lie.
//!
//! The binary is `SHARESTAT_BIN`, else the one that was built with the test. Needs root.

#[path = "../skip/mod.rs"]
mod skip;

mod capabilities;
mod clients;
mod collector;
mod openmetrics;
mod page;
mod refusals;
mod served;
mod tls;

use rustix::process::Signal;
use serde_json::Value;

use served::{Served, duplicates};
use skip::skipped;

fn cannot_run() -> bool {
    let able = rustix::process::geteuid().is_root() && sharestat::kernel::object::is_embedded();
    if !able {
        skipped("needs root and a build with BPF programs");
    }
    !able
}

/// Pages of each of the two equal files.
const PAGES: u32 = 300;
const BYTES: u32 = PAGES * 4096;

fn measured(served: &Served) -> served::Metrics {
    served.until("all is hashed", |metrics| {
        metrics.is("sharestat_duplicate_bytes", BYTES)
            && metrics.is("sharestat_hashed_bytes", 2 * BYTES)
    })
}

#[test]
fn what_is_measured_is_offered_as_metrics_page_and_report_and_a_signal_ends_it_quietly() {
    if cannot_run() {
        return;
    }
    let data = duplicates(PAGES);
    let served = Served::start(data.path(), &["--every", "200ms"]);
    let metrics = measured(&served);
    for (name, value) in [
        ("sharestat_up", 1),
        ("sharestat_page_cache_bytes", 2 * BYTES),
        ("sharestat_resident_bytes", 2 * BYTES),
        ("sharestat_distinct_bytes", BYTES),
        ("sharestat_zero_bytes", 0),
        ("sharestat_coverage_ratio", 1),
        ("sharestat_events_lost_total", 0),
        ("sharestat_build_info", 1),
    ] {
        assert!(metrics.is(name, value), "{name}: {:?}", metrics.sum(name));
    }
    let saved = metrics.0.iter().any(|sample| {
        sample.name == "sharestat_reclaimable_bytes"
            && sample.labels == [("mechanism".to_owned(), "content".to_owned())]
            && sample.value > 0.0
    });
    assert!(saved, "{metrics:?}");
    for name in ["process_cpu_seconds_total", "process_resident_memory_bytes"] {
        assert!(metrics.sum(name).is_some_and(|value| value > 0.0), "{name}");
    }
    for sample in &metrics.0 {
        for (label, value) in &sample.labels {
            assert!(!value.contains('/'), "a path: {label}='{value}'");
        }
    }
    let answer = served.get("/metrics");
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(answer.head.contains(kind), "{}", answer.head);
    let report: Value = serde_json::from_str(&served.get("/report.json").body).expect("JSON");
    assert_eq!(report["schema"], "sharestat.report/v1");
    assert_eq!(report["totals"]["duplicate_bytes"], BYTES);
    let page = served.get("/");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<svg") && page.body.contains("/two"));
    assert_eq!(served.get("/healthz").body, "ok\n");
    assert_eq!(served.get("/nothing").status, 404);
    let refused = served.ask("POST", "/metrics", "Content-Length: 0\r\n");
    assert_eq!(refused.status, 405);
    assert!(refused.head.contains("allow: GET, HEAD"));
    assert_eq!(served.ask("HEAD", "/metrics", "").body, "");
    let (status, words) = served.end(Signal::TERM);
    assert_eq!((status.code(), words.as_str()), (Some(0), ""));
}

#[test]
fn a_change_of_the_page_cache_is_in_the_metrics_soon() {
    if cannot_run() {
        return;
    }
    let data = duplicates(PAGES);
    let served = Served::start(data.path(), &["--every", "200ms"]);
    measured(&served);
    std::fs::remove_file(data.path().join("two")).expect("removed");
    let metrics = served.until("one copy is gone", |metrics| {
        metrics.is("sharestat_duplicate_bytes", 0) && metrics.is("sharestat_resident_bytes", BYTES)
    });
    let removed = metrics.sum("sharestat_removed_bytes_total");
    assert!(
        removed.is_some_and(|bytes| bytes >= f64::from(BYTES)),
        "{removed:?}"
    );
    let (status, words) = served.end(Signal::INT);
    assert_eq!((status.code(), words.as_str()), (Some(0), ""));
}

//! Clients that misbehave: those that never read, and those that ask without end.

use std::{
    fs,
    io::{Read as _, Write as _},
    thread,
    time::{Duration, Instant},
};

use super::{
    PAGES, cannot_run, measured,
    served::{Served, duplicates, read_answer},
};

/// Resident memory of a process, in KiB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).expect("a number")
}

/// Most storms until memory stands still.
const ROUNDS: u32 = 12;

#[test]
fn who_never_reads_or_never_asks_is_cut_and_the_others_are_answered() {
    if cannot_run() {
        return;
    }
    let data = duplicates(PAGES);
    let limits = [
        "--every",
        "200ms",
        "--client-timeout",
        "1s",
        "--max-connections",
        "8",
    ];
    let served = Served::start(data.path(), &limits);
    measured(&served);
    let host = served.address;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").repeat(200);
    let mut deaf: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = served.connect();
            stream.write_all(request.as_bytes()).expect("asked");
            stream
        })
        .collect();
    let mut mute: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = served.connect();
            stream.write_all(b"GET / HT").expect("begun");
            stream
        })
        .collect();
    // All places are taken: this waits until some are cut.
    let metrics = served.until("eight are cut", |metrics| {
        metrics
            .sum("sharestat_http_connections_cut_total")
            .is_some_and(|cut| cut >= 8.0)
    });
    assert!(metrics.is("sharestat_up", 1));
    for stream in deaf.iter_mut().chain(&mut mute) {
        let mut rest = Vec::new();
        // What was on its way, then the end, by whatever name.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 200 * 20_000, "{} bytes", rest.len());
    }
}

#[test]
fn a_storm_of_scrapes_takes_no_memory_and_does_not_hold_up_the_collector() {
    if cannot_run() {
        return;
    }
    let data = duplicates(PAGES);
    let served = Served::start(data.path(), &["--every", "200ms"]);
    measured(&served);
    let storm = |long: Duration| -> u64 {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|number| {
                    let (served, path) = (&served, ["/metrics", "/", "/report.json"][number % 3]);
                    scope.spawn(move || {
                        let mut stream = served.connect();
                        let host = served.address;
                        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
                        let begun = Instant::now();
                        let mut answers = 0;
                        while begun.elapsed() < long {
                            stream.write_all(request.as_bytes()).expect("asked");
                            let answer = read_answer(&mut stream).expect("answered");
                            assert_eq!(answer.status, 200);
                            answers += 1;
                        }
                        answers
                    })
                })
                .collect();
            let sum = clients
                .into_iter()
                .map(|client| client.join().expect("no panic"));
            sum.sum()
        })
    };
    let then = served.metrics();
    // What is kept for each connection, and what the allocator holds back for each thread,
    // is there after some rounds; what a request leaves behind would grow with every one.
    let mut held = memory(served.pid());
    let first = held;
    let settled = (0..ROUNDS).any(|round| {
        let answers = storm(Duration::from_secs(1));
        let now = memory(served.pid());
        println!("round {round}: {answers} answers, {held} to {now} KiB");
        assert!(answers > 30, "{answers}");
        let grew = now.saturating_sub(held);
        held = now;
        grew < 512
    });
    assert!(
        settled && held < first + 16 * 1024,
        "{first} KiB grew to {held} KiB"
    );
    let now = served.metrics();
    let moved = |name| {
        now.sum(name)
            .zip(then.sum(name))
            .map(|(now, then)| now - then)
    };
    let sampled = moved("sharestat_sample_timestamp_seconds");
    assert!(
        sampled.is_some_and(|seconds| seconds > 0.5),
        "no samples during the storm: {sampled:?}"
    );
    assert_eq!(moved("sharestat_events_lost_total"), Some(0.0));
}

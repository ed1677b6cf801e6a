//! What `serve` says when it cannot start, and whom it does not answer.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Output, Stdio},
};

use super::{
    BYTES, PAGES, cannot_run,
    served::{Served, binary, duplicates},
};

/// What it says on a start that fails, which needs no privilege.
fn refused(arguments: &[&str]) -> Output {
    Command::new(binary())
        .arg("serve")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("it starts")
}

#[test]
fn what_cannot_be_used_is_named_in_one_line_and_the_exit_code_says_usage() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one").to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (missing, empty, words) = (path("missing"), path("empty"), path("words"));
    fs::write(&empty, "\n").expect("written");
    fs::write(&words, "hello world\n").expect("written");
    let free = ["--listen", "127.0.0.1:0"];
    for (arguments, sentence) in [
        (
            vec!["--listen", &address],
            format!("cannot listen on '{address}': the port is in use; "),
        ),
        (
            vec!["--listen", "no:where:at:all"],
            "cannot listen on 'no:where:at:all': ".to_owned(),
        ),
        (
            vec!["--token-file", &missing],
            format!("cannot read the token file '{missing}': No such file"),
        ),
        (
            vec!["--token-file", &empty],
            format!("cannot use the token file '{empty}': it is empty"),
        ),
        (
            vec!["--tls-cert", &words, "--tls-key", &missing],
            format!("cannot use the certificate file '{words}': there is no certificate in it"),
        ),
    ] {
        let mut all = arguments.clone();
        if arguments[0] != "--listen" {
            all.extend(free);
        }
        let output = refused(&all);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{all:?}: {stderr}");
        assert!(
            stderr.starts_with(&format!("sharestat: error: {sentence}")),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let alone = refused(&["--tls-cert", &words]);
    assert_eq!(alone.status.code(), Some(2));
}

#[test]
fn a_token_is_asked_for_but_not_for_health() {
    if cannot_run() {
        return;
    }
    let data = duplicates(PAGES);
    let secret = tempfile::NamedTempFile::new().expect("a file");
    fs::write(secret.path(), "open-sesame\n").expect("written");
    let file = secret.path().display().to_string();
    let served = Served::start(data.path(), &["--every", "200ms", "--token-file", &file]);
    for path in ["/", "/metrics", "/report.json", "/nothing"] {
        let answer = served.get(path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.head.contains("www-authenticate: Bearer"), "{path}");
        assert!(!answer.body.contains("sesame"));
    }
    assert_eq!(served.get("/healthz").status, 200);
    let with = |line: &str| served.ask("GET", "/metrics", line).status;
    assert_eq!(with("Authorization: Bearer open-sesame\r\n"), 200);
    assert_eq!(with("Authorization: Bearer open-sesamf\r\n"), 401);
    // 'any:open-sesame'
    assert_eq!(with("Authorization: Basic YW55Om9wZW4tc2VzYW1l\r\n"), 200);
}

#[test]
fn files_are_not_named_to_foreign_hosts_nor_by_foreign_names() {
    if cannot_run() {
        return;
    }
    let data = duplicates(PAGES);
    let served = Served::start(data.path(), &["--every", "200ms"]);
    served.until("it counts", |metrics| {
        metrics.is("sharestat_resident_bytes", 2 * BYTES)
    });
    let mut stream = served.connect();
    std::io::Write::write_all(
        &mut stream,
        b"GET /report.json HTTP/1.1\r\nHost: rebound.example:9934\r\n\r\n",
    )
    .expect("asked");
    let answer = super::served::read_answer(&mut stream).expect("answered");
    assert_eq!(answer.status, 421, "{}", answer.body);
    drop(served);
    let open = Served::start(data.path(), &["--every", "200ms", "--listen", "0.0.0.0:0"]);
    assert_eq!(open.get("/metrics").status, 200);
    assert_eq!(open.get("/").status, 403);
    assert_eq!(open.get("/report.json").status, 403);
}

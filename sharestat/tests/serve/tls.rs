//! TLS: who trusts the certificate is answered, who speaks plainly is not.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, Stream,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

use super::{
    PAGES, cannot_run,
    served::{Metrics, Served, duplicates, read_answer},
};
use crate::skip::skipped;

/// A certificate for 'localhost' and its key; whether openssl(1) could make them.
fn certificate(certificate: &Path, key: &Path) -> bool {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "30", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success())
}

#[test]
fn metrics_come_over_tls_and_only_over_tls() {
    if cannot_run() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name| directory.path().join(name);
    let (chain, key, other) = (path("cert.pem"), path("key.pem"), path("other.pem"));
    if !certificate(&path("unused.pem"), &other) || !certificate(&chain, &key) {
        skipped("there is no openssl to make a certificate");
        return;
    }
    let data = duplicates(PAGES);
    let words = |path: &Path| path.display().to_string();
    let (chain_path, key_path) = (words(&chain), words(&key));
    let files = [
        "--every",
        "200ms",
        "--tls-cert",
        &chain_path,
        "--tls-key",
        &key_path,
    ];
    let served = Served::start(data.path(), &files);
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&chain).expect("a certificate"))
        .expect("it is one");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let mut socket = served.connect();
    let mut stream = Stream::new(&mut session, &mut socket);
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("asked");
    let answer = read_answer(&mut stream).expect("answered");
    assert_eq!(answer.status, 200);
    assert!(Metrics::of(&answer.body).is("sharestat_build_info", 1));

    let mut plain = served.connect();
    plain
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("asked");
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"HTTP"), "{rest:?}");

    for (key, sentence) in [
        (&other, "cannot use the key file"),
        (&path("missing.pem"), "cannot read the key file"),
        (&directory.path().to_owned(), "cannot read the key file"),
        (&chain, "cannot use the key file"),
    ] {
        let wrong = Command::new(super::served::binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--tls-cert"])
            .arg(&chain)
            .arg("--tls-key")
            .arg(key)
            .output()
            .expect("it starts");
        let stderr = String::from_utf8_lossy(&wrong.stderr);
        assert_eq!(wrong.status.code(), Some(2), "{stderr}");
        let named = format!("{sentence} '{}'", key.display());
        assert!(stderr.contains(&named), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

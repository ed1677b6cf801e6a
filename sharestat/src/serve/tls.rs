//! Certificate and key: PEM files in, what accepts TLS connections out.

use std::{path::Path, sync::Arc};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject as _},
        },
    },
};

use super::Error;

const CERTIFICATE: &str = "certificate file";
const KEY: &str = "key file";

/// Reads a certificate chain and its key.
///
/// # Errors
/// When one cannot be read, holds none, or they do not belong together.
pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| told(error, CERTIFICATE, certificate))?;
    if chain.is_empty() {
        return Err(told(pem::Error::NoItemsFound, CERTIFICATE, certificate));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| told(error, KEY, key))?;
    let unusable = |error: tokio_rustls::rustls::Error| Error::Content {
        what: KEY,
        path: key.to_owned(),
        why: format!(
            "{error}; it must be the key of the first certificate in '{}'",
            certificate.display()
        ),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn told(error: pem::Error, what: &'static str, path: &Path) -> Error {
    let path = path.to_owned();
    match error {
        pem::Error::Io(source) => Error::Read { what, path, source },
        pem::Error::NoItemsFound => Error::Content {
            what,
            path,
            why: format!("there is no {} in it; it must be in PEM", noun(what)),
        },
        error => Error::Content {
            what,
            path,
            why: format!("it is no PEM: {error}"),
        },
    }
}

fn noun(what: &str) -> &str {
    what.trim_end_matches(" file")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_that_cannot_be_used_are_named_with_the_reason() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            fs::write(&path, content).expect("written");
            path
        };
        let (missing, words) = (directory.path().join("none"), file("words", "hello\n"));
        let told = |certificate: &Path, key: &Path| {
            acceptor(certificate, key).err().expect("it cannot be used")
        };
        assert!(matches!(told(&missing, &words), Error::Read { .. }));
        let error = told(&words, &missing).to_string();
        assert!(
            error.contains("no certificate in it") && error.contains("words'"),
            "{error}"
        );
        let cut = file("cut", "-----BEGIN CERTIFICATE-----\nAAAA\n");
        let error = told(&cut, &missing).to_string();
        assert!(error.contains("it is no PEM"), "{error}");
    }
}

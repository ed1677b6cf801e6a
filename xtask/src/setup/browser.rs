//! What the tests of pages and of TLS ask for: a browser, and a program that makes
//! certificates.

use super::{Step, host, install};
use crate::cache::Cache;

/// A program and the Debian package that has it.
const PROGRAMS: [(&str, &str); 2] = [("chromium", "chromium"), ("openssl", "openssl")];

/// Installs what is missing.
///
/// # Errors
/// When apt cannot install it.
pub(crate) fn provide(cache: &Cache) -> anyhow::Result<Step> {
    let what = "Chromium and openssl for tests".to_owned();
    let missing = PROGRAMS
        .iter()
        .filter(|(program, _)| host::find(program).is_none());
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(Step::present(what));
    }
    install::packages(cache, None, &packages)?;
    Ok(Step::made(what))
}

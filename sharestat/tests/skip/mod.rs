//! What a test says that cannot try its claim on this machine.

use std::{fmt::Display, io::Write as _};

/// Says why the running test is skipped, past the capture of libtest, which would hide the
/// words of a passing test; `cargo xtask test` counts the line.
pub(crate) fn skipped(why: impl Display) {
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    // With nobody to read it the test still passes.
    let _ = writeln!(std::io::stderr(), "{test} ... skipped: {why}");
}

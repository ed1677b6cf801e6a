//! The stacks of the sites, for flame graph programs.

use std::io::{self, Write};

use crate::derefs::document::Document;

/// Folded stacks, outermost first: frames, and hits.
pub(super) fn lines(document: &Document) -> Vec<String> {
    let sites = document.sites.iter().filter(|site| site.hits > 0);
    sites
        .map(|site| {
            let frames: Vec<&str> = site.stack.iter().rev().map(String::as_str).collect();
            format!("{};{} {}", frames.join(";"), site.place(), site.hits)
        })
        .collect()
}

/// Writes them, as flame graph programs read them.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_folded(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    lines(document)
        .iter()
        .try_for_each(|line| writeln!(out, "{line}"))
}

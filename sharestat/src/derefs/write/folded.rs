//! The stacks of the sites, for flame graph programs.

use std::io::{self, Write};

use crate::derefs::document::Document;

/// Folded stacks, outermost first, as flame graph programs read them.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_folded(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    for site in &document.sites {
        let frames: Vec<&str> = site.stack.iter().rev().map(String::as_str).collect();
        writeln!(out, "{};{} {}", frames.join(";"), site.place(), site.hits)?;
    }
    Ok(())
}

//! The stacks of the sites as a flame graph: one SVG, drawn by `inferno`.

use std::io::{self, Write};

use inferno::flamegraph::{self, Options};

use super::folded;
use crate::derefs::document::Document;

/// Writes the flame graph; widths are hits.
///
/// # Errors
/// When `out` cannot be written, or there is no hit to draw.
pub fn write_flame(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let lines = folded::lines(document);
    if lines.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "nothing was hit, so that there is no flame graph to draw",
        ));
    }
    let mut options = Options::default();
    options.title = format!("folio->mapping, Linux {}", document.host.kernel);
    options.subtitle = Some("each site with its most frequent stack".to_owned());
    options.count_name = "hits".to_owned();
    options.deterministic = true;
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), out)
}

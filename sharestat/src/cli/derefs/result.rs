//! Writes the document of `watch` and `exercise` in the format asked for.

use std::path::Path;

use super::super::{
    exit::{Exit, Failure},
    output,
};
use super::args::{DerefsFormat, DerefsOutputArgs};
use crate::{
    derefs::{document::Document, write as formats},
    identity::escape::printable,
};

impl DerefsOutputArgs {
    /// The format: as asked for, else by the ending of the file, else text.
    pub(super) fn chosen(&self) -> Result<DerefsFormat, Failure> {
        match (self.format, &self.output) {
            (Some(format), _) => Ok(format),
            (None, None) => Ok(DerefsFormat::Text),
            (None, Some(path)) => by_ending(path).ok_or_else(|| {
                Failure::new(
                    Exit::Usage,
                    format!(
                        "cannot tell the format of '{}' from its ending; use .txt, .json, .csv, .md, \
                         .html, .folded or .svg, or give '--format'",
                        printable(path)
                    ),
                )
            }),
        }
    }

    /// Writes `document` as `format`.
    pub(super) fn write(&self, document: &Document, format: DerefsFormat) -> Result<(), Failure> {
        output::write(self.output.as_deref(), |out| match format {
            DerefsFormat::Text => formats::write_text(document, self.top, out),
            DerefsFormat::Json => {
                serde_json::to_writer_pretty(&mut *out, document)?;
                out.write_all(b"\n")
            }
            DerefsFormat::Csv => formats::write_csv(document, out),
            DerefsFormat::Markdown => formats::write_markdown(document, out),
            DerefsFormat::Html => formats::write_html(document, out),
            DerefsFormat::Svg => formats::write_flame(document, out),
            DerefsFormat::Folded => formats::write_folded(document, out),
        })
    }
}

fn by_ending(path: &Path) -> Option<DerefsFormat> {
    match path.extension()?.to_str()? {
        "txt" => Some(DerefsFormat::Text),
        "json" => Some(DerefsFormat::Json),
        "csv" => Some(DerefsFormat::Csv),
        "md" => Some(DerefsFormat::Markdown),
        "html" => Some(DerefsFormat::Html),
        "svg" => Some(DerefsFormat::Svg),
        "folded" => Some(DerefsFormat::Folded),
        _ => None,
    }
}

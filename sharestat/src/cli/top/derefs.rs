//! The document of `sharestat derefs`, as the screen shows it.

use std::{fs, path::Path, sync::Arc};

use crate::{
    cli::exit::{Exit, Failure},
    derefs::document::{Document, Measurement, SCHEMA, SiteRow},
    identity::escape::printable,
    tui::frame::{DerefRow, Derefs},
};

/// Reads what `derefs watch` or `derefs exercise` wrote as JSON.
///
/// # Errors
/// When it cannot be read or is no such document.
pub(super) fn read(path: &Path) -> Result<Arc<Derefs>, Failure> {
    let wrong = |why: String| {
        Failure::new(
            Exit::Usage,
            format!(
                "cannot show '{}': {why}; give a result of 'sharestat derefs watch --format json'",
                printable(path)
            ),
        )
    };
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if document.schema != SCHEMA {
        return Err(wrong(format!("its schema is '{}'", document.schema)));
    }
    Ok(Arc::new(shown(&document, printable(path))))
}

fn shown(document: &Document, source: String) -> Derefs {
    let host = &document.host;
    let measured = &document.measurement;
    let Measurement {
        watched_ns,
        slots,
        hits,
        lost,
        undecoded,
        ..
    } = measured;
    let seconds = watched_ns / 1_000_000_000;
    let mut facts = vec![
        format!(
            "Linux {} on {}: {slots} folios at a time, watched for {seconds} s",
            host.kernel, host.name
        ),
        format!("{hits} hits, {lost} of them lost, {undecoded} of unknown instructions"),
    ];
    facts.extend(document.summary.iter().cloned());
    facts.extend(document.notes.iter().cloned());
    Derefs {
        source,
        facts,
        sites: document.sites.iter().map(row).collect(),
    }
}

fn row(site: &SiteRow) -> DerefRow {
    let mut details = Vec::new();
    let mut tell = |name: &str, value: String| {
        if !value.is_empty() {
            details.push((name.to_owned(), value));
        }
    };
    tell("instruction", site.instruction.clone().unwrap_or_default());
    tell("decided by", site.context.clone().unwrap_or_default());
    let classes = site.classes.iter();
    let classes: Vec<String> = classes
        .map(|(class, hits)| format!("{class} {hits}"))
        .collect();
    tell("contexts", classes.join(", "));
    if let Some(rate) = &site.rate {
        tell(
            "rate",
            format!(
                "{:.3}/s for the whole page cache, 95 % between {:.3} and {:.3}",
                rate.per_second, rate.low, rate.high
            ),
        );
    }
    if let Some(listed) = site.in_static_list {
        let word = if listed { "has it" } else { "has it not" };
        tell("static list", word.to_owned());
    }
    tell("commands", site.commands.join(", "));
    tell("steps", site.steps.join(", "));
    DerefRow {
        id: site.id.as_str().into(),
        site: site.place().into(),
        access: site.kind.as_str().into(),
        context: site.class.as_str().into(),
        subsystem: site.subsystem.as_str().into(),
        hits: site.hits,
        shareable: site.shareable_hits,
        details,
        stack: site.stack.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_result_is_shown_with_its_sites() {
        let document = crate::derefs::sample::document();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("derefs.json");
        let bytes = serde_json::to_vec(&document).expect("it serializes");
        fs::write(&path, bytes).expect("a file");
        let derefs = read(&path).expect("it reads");
        assert_eq!(derefs.sites.len(), document.sites.len());
        let (row, site) = (&derefs.sites[0], &document.sites[0]);
        assert_eq!((row.hits, &*row.site), (site.hits, &*site.place()));
        assert_eq!(row.stack, site.stack);
        fs::write(&path, b"{}").expect("a file");
        let refused = read(&path).expect_err("it is no result").to_string();
        assert!(
            refused.contains("derefs.json'") && refused.contains("derefs watch"),
            "{refused}"
        );
    }
}

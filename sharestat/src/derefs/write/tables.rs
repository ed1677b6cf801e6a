//! The small tables of a document, which text, Markdown and HTML all show: faults, the
//! classes of 2018, who asks for a mapping through a function, probes, options of the kernel.

use crate::derefs::{
    document::{Document, percent},
    glisse,
};

/// A table of words.
pub(super) struct Plain {
    /// Above it.
    pub(super) title: &'static str,
    /// Headings.
    pub(super) columns: Vec<&'static str>,
    /// Cells.
    pub(super) rows: Vec<Vec<String>>,
}

/// The tables that have rows.
pub(super) fn tables(document: &Document) -> Vec<Plain> {
    let faults = document.faults.iter().map(|row| {
        let held = |part| format!("{part} ({:.2} %)", percent(part, row.faults));
        vec![
            row.of
                .clone()
                .unwrap_or_else(|| "everything else".to_owned()),
            row.filesystem.clone(),
            row.faults.to_string(),
            held(row.same_mapping),
            held(row.same_inode),
            row.copies.to_string(),
        ]
    });
    let classes = glisse::classes(document).into_iter().map(|class| {
        vec![
            class.then.to_owned(),
            class.now.to_owned(),
            class.sites.to_string(),
            class.hits.to_string(),
            class.shareable.to_string(),
        ]
    });
    let callers = document.sites.iter().flat_map(|site| {
        let mut callers: Vec<_> = site.callers.iter().collect();
        callers.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let row =
            |(caller, hits): (&String, &u64)| vec![site.place(), caller.clone(), hits.to_string()];
        callers.into_iter().map(row).collect::<Vec<_>>()
    });
    let probes = document.probes.iter().map(|probe| {
        let set = if probe.set { "yes" } else { "no" };
        vec![probe.name.clone(), set.to_owned(), probe.note.clone()]
    });
    let config = document.config.iter().map(|option| {
        let built = if option.built { "yes" } else { "no" };
        vec![
            option.option.clone(),
            built.to_owned(),
            option.about.clone(),
        ]
    });
    [
        Plain {
            title: "The vma's file and the folio's mapping, at page faults",
            columns: vec![
                "mapped",
                "folio of",
                "faults",
                "f_mapping == folio->mapping",
                "f_inode == mapping->host",
                "private copies",
            ],
            rows: faults.collect(),
        },
        Plain {
            title: "The classes of 2018",
            columns: vec!["said in 2018", "here", "sites", "hits", "shareable"],
            rows: classes.collect(),
        },
        Plain {
            title: "Who asks for the mapping of a folio through a function",
            columns: vec!["site", "called by", "hits"],
            rows: callers.collect(),
        },
        Plain {
            title: "Probes",
            columns: vec!["probe", "set", ""],
            rows: probes.collect(),
        },
        Plain {
            title: "Options of the kernel, as far as its symbols tell",
            columns: vec!["option", "built", "what it has to do with the word"],
            rows: config.collect(),
        },
    ]
    .into_iter()
    .filter(|table| !table.rows.is_empty())
    .collect()
}

//! The answer in sentences, from the rows. Pure.

use super::document::{Document, Explained, FaultRow, SiteRow, percent};

/// The sentences. They speak of what was reached, never of what is safe.
#[must_use]
pub fn sentences(document: &Document) -> Vec<String> {
    let sites = &document.sites;
    let hits: u64 = sites.iter().map(|site| site.hits).sum();
    let shareable: u64 = sites.iter().map(|site| site.shareable_hits).sum();
    let mut said = vec![format!(
        "{} instructions touched 'mapping' of a page-cache folio, {hits} times; {shareable} times \
         ({:.0} %) the folio was uptodate, clean and not writably mapped: one that could be shared",
        sites.len(),
        percent(shareable, hits)
    )];
    let common: Vec<&SiteRow> = sites
        .iter()
        .filter(|site| site.is_common() && site.reads_pointer() && site.shareable_hits > 0)
        .collect();
    let with = |class: &str| common.iter().filter(|site| site.class == class).count();
    let at_hand = with("direct") + with("caller") + with("identity");
    said.push(format!(
        "in code common to all filesystems (mm, fs), {} of them read the pointer of such a folio, and \
         would have to change for shared read-only pages: {at_hand} with a file, vma or mapping at hand \
         ({} in their own arguments, {} in a caller's, {} compare with a mapping they have), {} \
         without one ({} in a walk over all mappings, {} from a list, a batch or a page frame)",
        common.len(),
        with("direct"),
        with("caller"),
        with("identity"),
        common.len() - at_hand,
        with("rmap"),
        common.len() - at_hand - with("rmap"),
    ));
    let tags = sites.iter().filter(|site| site.kind == "tag_test").count();
    let stores = sites.iter().filter(|site| site.kind == "store").count();
    let single = sites
        .iter()
        .filter(|site| site.subsystem.starts_with("fs/") && site.reads_pointer())
        .count();
    said.push(format!(
        "apart from these: {tags} test only the tag bits (anonymous, KSM), {stores} write the word, \
         {single} are in a single filesystem"
    ));
    if let Some(explained) = &document.explained {
        said.push(format!(
            "{:.1} % of the hits are at sites that static analysis of {} found; {} of its {} sites were \
             reached by this workload, {} were not, which says nothing about them",
            explained.percent(),
            explained.source,
            explained.reached,
            explained.static_sites,
            explained.not_reached.len()
        ));
        said.push(unreached(document, explained));
    }
    said.extend(faults(document));
    said.push(
        "beside it: the work on 'page->mapping' that Jérôme Glisse presented in 2018 \
         (lwn.net/Articles/752564) took 79 patches to 302 files; the table of his classes counts the \
         sites that this workload reached"
            .to_owned(),
    );
    let failed: Vec<String> = document
        .probes
        .iter()
        .filter(|probe| !probe.set)
        .map(|probe| format!("{} ({})", probe.name, probe.note))
        .collect();
    if !failed.is_empty() {
        said.push(format!("not to be had here: {}", failed.join("; ")));
    }
    said
}

/// The static sites in common code that read the pointer: reached, and not.
fn unreached(document: &Document, explained: &Explained) -> String {
    let reached = document.sites.iter().filter(|site| {
        site.in_static_list == Some(true) && site.is_common() && site.reads_pointer()
    });
    let rest = explained.not_reached.iter().filter(|site| {
        matches!(site.subsystem.as_str(), "mm" | "fs")
            && matches!(site.kind.as_str(), "load" | "compare")
    });
    let rest: Vec<_> = rest.collect();
    let direct = rest.iter().filter(|site| site.class == "direct").count();
    format!(
        "of the static sites in common code that read the pointer, {} were reached; of the {} that \
         were not, {direct} have a file, vma or mapping in their own arguments and {} do not (whether a \
         caller has is known of reached sites only)",
        reached.count(),
        rest.len(),
        rest.len() - direct
    )
}

/// The assumption of 2019, counted where pages are mapped.
fn faults(document: &Document) -> Option<String> {
    let sum = |count: fn(&FaultRow) -> u64| document.faults.iter().map(count).sum::<u64>();
    let faults = sum(|row| row.faults);
    if faults == 0 {
        return None;
    }
    let of = |held: u64| format!("{held} of {faults} times ({:.2} %)", percent(held, faults));
    Some(format!(
        "where page faults mapped a folio of a file, 'vma->vm_file->f_mapping == folio->mapping' held \
         {}, and 'vma->vm_file->f_inode == folio->mapping->host' {}",
        of(sum(|row| row.same_mapping)),
        of(sum(|row| row.same_inode))
    ))
}

#[cfg(test)]
mod tests {
    use super::super::sample::document;
    use super::*;

    #[test]
    fn sites_are_counted_where_they_belong() {
        let said = sentences(&document()).join("\n");
        assert!(said.contains("4 instructions touched"), "{said}");
        assert!(
            said.contains("2 of them read the pointer")
                && said.contains("1 with a file, vma or mapping"),
            "{said}"
        );
        assert!(said.contains("1 test only the tag bits"), "{said}");
        assert!(said.contains("1 are in a single filesystem"), "{said}");
        assert!(said.contains("90.0 % of the hits"), "{said}");
        assert!(said.contains("2 were reached; of the 1 that"), "{said}");
        assert!(said.contains("held 8 of 8 times (100.00 %)"), "{said}");
        assert!(said.contains("7 of 8 times (87.50 %)"), "{said}");
        assert!(!said.contains("safe"), "{said}");
    }
}

//! The answer in sentences, from the rows. Pure.

use super::document::{Document, SiteRow, percent};

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
    }
    said.push(
        "beside it: the work on 'page->mapping' that was presented in 2018 (lwn.net/Articles/752564) \
         took 79 patches to 302 files"
            .to_owned(),
    );
    said
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
        assert!(!said.contains("safe"), "{said}");
    }
}

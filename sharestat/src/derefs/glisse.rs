//! What Jérôme Glisse said in 2018 about the places that use `page->mapping`, with what
//! was measured here beside it. Pure.

use super::document::{Document, SiteRow};

/// Where he said it: the announcement of his topic, and the patches.
pub const SOURCES: &str = "Glisse on linux-block, 31 January 2018 \
    (mail.spinics.net/lists/linux-block/msg22320.html); RFC 'Generic page write protection and a \
    solution to page waitqueue', 4 April 2018 (message <20180404191831.5378-1-jglisse@redhat.com>, \
    lwn.net/Articles/752564)";

/// One class.
pub struct Class {
    /// As he put it, in short.
    pub then: &'static str,
    /// What of this measurement stands beside it.
    pub now: &'static str,
    /// Sites that read the pointer.
    pub sites: u64,
    /// Their hits.
    pub hits: u64,
    /// Those with a folio that could be shared.
    pub shareable: u64,
}

/// Which sites belong to a class.
type Belongs = fn(&SiteRow) -> bool;

/// His words, ours, and the sites. Where a class cannot be told here, nothing is counted.
const CLASSES: [(&str, &str, Belongs); 4] = [
    (
        "the caller looked the page up through its mapping, or has the vma's file: \
         'virtually all the places'",
        "direct, caller: a file, vma, mapping or inode is at hand",
        |site| matches!(site.class.as_str(), "direct" | "caller"),
    ),
    (
        "truncation: the field tells whether a page was truncated; 'should not be an issue'",
        "identity: compared with a mapping at hand",
        |site| site.class == "identity",
    ),
    (
        "memory reclaim is the exception where neither mapping nor buffer head is to be had",
        "none: the folio came from a list, a batch or a page frame (reclaim, compaction, \
         migration, memory failure, GUP)",
        |site| site.class == "none",
    ),
    (
        "(not named)",
        "rmap: a walk over all mappings, which needs every owner",
        |site| site.class == "rmap",
    ),
];

/// The classes, counted over the sites that read the pointer, of all subsystems.
#[must_use]
pub fn classes(document: &Document) -> Vec<Class> {
    if document.sites.is_empty() {
        return Vec::new();
    }
    CLASSES
        .into_iter()
        .map(|(then, now, belongs)| {
            let sites = document.sites.iter();
            let those: Vec<&SiteRow> = sites
                .filter(|site| site.reads_pointer() && belongs(site))
                .collect();
            Class {
                then,
                now,
                sites: those.len() as u64,
                hits: those.iter().map(|site| site.hits).sum(),
                shareable: those.iter().map(|site| site.shareable_hits).sum(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::document;
    use super::*;

    #[test]
    fn every_site_that_reads_the_pointer_is_in_one_class() {
        let document = document();
        let reading = document.sites.iter().filter(|site| site.reads_pointer());
        let sum: u64 = classes(&document).iter().map(|class| class.sites).sum();
        assert_eq!(sum, reading.count() as u64);
    }
}

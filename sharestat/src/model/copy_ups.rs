//! Files that overlayfs copied up: how much of the copy still equals the lower file that
//! it hides. A copy without a difference was made for its metadata only (`chmod`).

use super::{
    index::ContentIndex,
    inode::InodeId,
    kin::Kin,
    measurement::Identities,
    units::{Bytes, ContentHash, PageIndex},
};

/// One copy-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyUp {
    /// The file in the upper layer.
    pub copy: InodeId,
    /// The file in the lower layer that it hides.
    pub source: InodeId,
    /// Resident in both, at the same place with the same content, zero pages included.
    pub equal: Bytes,
    /// Resident in both and different.
    pub differing: Bytes,
    /// Same size and no difference found.
    pub metadata_only: bool,
}

/// The copy-ups of which something is resident in both files, most equal bytes first.
#[must_use]
pub fn copy_ups(index: &ContentIndex, identities: &Identities, kin: &Kin<'_>) -> Vec<CopyUp> {
    let size = |inode: InodeId| identities.files.get(&inode).map(|file| file.size);
    let mut found: Vec<CopyUp> = kin
        .copy_ups()
        .iter()
        .filter_map(|&(copy, source)| {
            let (equal, differing) = compare(index, copy, source)?;
            Some(CopyUp {
                copy,
                source,
                equal: Bytes::of_pages(equal),
                differing: Bytes::of_pages(differing),
                metadata_only: differing == 0 && equal > 0 && size(copy) == size(source),
            })
        })
        .filter(|copy_up| copy_up.equal.0 + copy_up.differing.0 > 0)
        .collect();
    found.sort_by_key(|copy_up| (std::cmp::Reverse(copy_up.equal), copy_up.copy));
    found
}

/// Equal and different pages among those resident in both files.
fn compare(index: &ContentIndex, one: InodeId, other: InodeId) -> Option<(u64, u64)> {
    let mut other = index.view(other)?.contents().peekable();
    let (mut equal, mut differing) = (0, 0);
    for (page, content) in index.view(one)?.contents() {
        let before = |candidate: &(PageIndex, ContentHash)| candidate.0 < page;
        while other.next_if(before).is_some() {}
        match other.peek() {
            Some((at, same)) if *at == page && *same == content => equal += 1,
            Some((at, _)) if *at == page => differing += 1,
            _ => {}
        }
    }
    Some((equal, differing))
}

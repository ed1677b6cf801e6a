//! With which other files a file shares most content.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

use super::{
    files::duplicated_contents,
    index::ContentIndex,
    inode::InodeId,
    units::{Bytes, ContentHash},
};

/// Most files that are remembered per content. A content that more files hold counts
/// with the first of them by id: partners are examples, and a page that thousands of
/// containers hold would otherwise cost its square.
const HOLDERS: usize = 64;

/// Another file, and what it has in common with the one asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partner {
    /// The other file.
    pub inode: InodeId,
    /// Pages of the file asked for whose content the other one also holds.
    pub shared: Bytes,
}

/// For each file of `of`, the at most `most` files that share most content with it, most
/// first. Zero pages do not count: they would make partners of everything.
#[must_use]
pub fn partners(
    index: &ContentIndex,
    of: &[InodeId],
    most: usize,
) -> HashMap<InodeId, Vec<Partner>> {
    let asked: HashSet<InodeId> = of.iter().copied().collect();
    let holders = holders(index, &asked);
    let mut shared: HashMap<InodeId, u64> = HashMap::new();
    let mut scratch = Vec::new();
    let mut answer = HashMap::new();
    for inode in asked.into_iter().filter_map(|inode| index.view(inode)) {
        shared.clear();
        for run in duplicated_contents(index, &inode, &mut scratch) {
            for &other in holders.get(&run.content).into_iter().flatten() {
                if other != inode.id {
                    *shared.entry(other).or_default() += u64::from(run.here);
                }
            }
        }
        answer.insert(inode.id, best(&shared, most));
    }
    answer
}

fn best(shared: &HashMap<InodeId, u64>, most: usize) -> Vec<Partner> {
    let mut partners: Vec<Partner> = shared
        .iter()
        .map(|(&inode, &pages)| Partner {
            inode,
            shared: Bytes::of_pages(pages),
        })
        .collect();
    partners.sort_unstable_by_key(|partner| (std::cmp::Reverse(partner.shared), partner.inode));
    partners.truncate(most);
    partners
}

type Holders = HashMap<ContentHash, Vec<InodeId>, BuildHasherDefault<AlreadyHashed>>;

/// The files that hold each content that a file of `asked` has in common with others.
fn holders(index: &ContentIndex, asked: &HashSet<InodeId>) -> Holders {
    let mut holders = Holders::default();
    let mut scratch = Vec::new();
    for inode in asked.iter().filter_map(|&inode| index.view(inode)) {
        for run in duplicated_contents(index, &inode, &mut scratch) {
            if run.here < run.copies && run.content != index.zero() {
                holders.insert(run.content, Vec::new());
            }
        }
    }
    for inode in index.inodes() {
        for (_, content) in inode.contents() {
            let Some(list) = holders.get_mut(&content) else {
                continue;
            };
            if list.last() != Some(&inode.id) && list.len() < HOLDERS {
                list.push(inode.id);
            }
        }
    }
    holders
}

/// Content hashes need no second hash, only their low and high bits mixed.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

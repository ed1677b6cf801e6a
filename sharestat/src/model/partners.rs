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
    let all = index.inodes().map(|inode| inode.id);
    partners_among(index, of, all, most)
}

/// [`partners`], looked for among `others` only: every file that holds a page which has
/// another copy must be one of them, in the order of their ids.
#[must_use]
pub fn partners_among(
    index: &ContentIndex,
    of: &[InodeId],
    others: impl Iterator<Item = InodeId>,
    most: usize,
) -> HashMap<InodeId, Vec<Partner>> {
    let asked: HashSet<InodeId> = of.iter().copied().collect();
    let holders = holders(index, &asked, others);
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
fn holders(
    index: &ContentIndex,
    asked: &HashSet<InodeId>,
    others: impl Iterator<Item = InodeId>,
) -> Holders {
    let mut holders = Holders::default();
    let mut scratch = Vec::new();
    for inode in asked.iter().filter_map(|&inode| index.view(inode)) {
        for run in duplicated_contents(index, &inode, &mut scratch) {
            if run.here < run.copies && run.content != index.zero() {
                holders.insert(run.content, Vec::new());
            }
        }
    }
    let wanted = Filter::of(&holders);
    for inode in others.filter_map(|inode| index.view(inode)) {
        inode.contents().for_each(|(_, content)| {
            if !wanted.may_hold(content) {
                return;
            }
            let Some(list) = holders.get_mut(&content) else {
                return;
            };
            if list.last() != Some(&inode.id) && list.len() < HOLDERS {
                list.push(inode.id);
            }
        });
    }
    holders
}

/// A bit for each of the contents looked for: most pages hold none of them, and a look at
/// a bit in the nearest caches is quicker than one at the table.
struct Filter {
    words: Vec<u64>,
}

impl Filter {
    fn of(holders: &Holders) -> Self {
        let words = (holders.len() / 4).next_power_of_two();
        let mut filter = Self {
            words: vec![0; words],
        };
        for content in holders.keys() {
            let (word, bit) = filter.place(*content);
            filter.words[word] |= bit;
        }
        filter
    }

    fn place(&self, content: ContentHash) -> (usize, u64) {
        let word = (content.0 >> 6) as usize & (self.words.len() - 1);
        (word, 1 << (content.0 % 64))
    }

    fn may_hold(&self, content: ContentHash) -> bool {
        let (word, bit) = self.place(content);
        self.words[word] & bit != 0
    }
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

//! What each memory cgroup is charged for: one row per cgroup, from one pass over all
//! files and their duplicates. Every page is charged to one cgroup, so the rows add up to the host.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    charges::MemcgId,
    duplicates::Duplicates,
    groups::GroupRow,
    index::{ContentIndex, run},
    inode::InodeId,
    journal::{Change, Pages},
    units::{Bytes, PageIndex},
    view::InodeView,
};

/// Which rows hold a content: the number of the only one plus one, or one of these.
type Owner = u32;
const NOBODY: Owner = 0;
const SEVERAL: Owner = u32::MAX;

impl ContentIndex {
    /// These pages, which are resident, are charged to `memcg`. Free where the inode's
    /// other pages are, too.
    pub fn charge(&mut self, inode: InodeId, first: PageIndex, pages: u64, memcg: MemcgId) {
        let (Some(run), Some(record)) = (run(inode, first, pages), self.inodes.get_mut(inode))
        else {
            return;
        };
        let others = record.resident > pages;
        if record.charges.set(run.first, run.last, memcg, others) {
            self.memcgs.insert(memcg);
            self.note(|| Change::Charge(Pages::new(inode, first, pages), memcg));
        }
    }

    /// Every memory cgroup that pages were charged to, also those that have none now.
    #[must_use]
    pub const fn memcgs(&self) -> &BTreeSet<MemcgId> {
        &self.memcgs
    }

    /// Resident pages by the memory cgroup that is charged; `None`: not known.
    #[must_use]
    pub fn charged_pages(&self) -> HashMap<Option<MemcgId>, u64> {
        let mut charged = HashMap::new();
        for inode in self.inodes() {
            for (memcg, pages) in resident_by_memcg(&inode) {
                *charged.entry(memcg).or_default() += pages;
            }
        }
        charged
    }
}

/// Resident pages of an inode by memory cgroup; one part when only one is charged.
fn resident_by_memcg(inode: &InodeView<'_>) -> Vec<(Option<MemcgId>, u64)> {
    let mut starts = inode.charges().peekable();
    let Some((_, mut memcg)) = starts.next() else {
        return Vec::new();
    };
    if starts.peek().is_none() {
        return vec![(memcg, inode.resident())];
    }
    let mut parts: BTreeMap<Option<MemcgId>, u64> = BTreeMap::new();
    for (page, _) in inode.pages() {
        while let Some((_, next)) = starts.next_if(|(start, _)| *start <= page.0) {
            memcg = next;
        }
        *parts.entry(memcg).or_default() += 1;
    }
    parts.into_iter().collect()
}

/// One row for each memory cgroup with resident pages, by id; `None` is what nothing is
/// known of. Takes 4 bytes per content with another copy while it runs.
#[must_use]
pub fn memcg_rows(duplicates: &Duplicates<'_>) -> Vec<(Option<MemcgId>, GroupRow)> {
    let index = duplicates.index();
    let charged: BTreeMap<Option<MemcgId>, u64> = index.charged_pages().into_iter().collect();
    if charged.keys().all(Option::is_none) {
        // Nothing is known: there is nobody to count for.
        return Vec::new();
    }
    let numbers: HashMap<Option<MemcgId>, u32> = charged.keys().copied().zip(0..).collect();
    let mut rows: Vec<GroupRow> = charged
        .values()
        .map(|pages| GroupRow {
            resident: Bytes::of_pages(*pages),
            ..GroupRow::default()
        })
        .collect();
    let mut owners = duplicates.notes(NOBODY);
    let mut saving_pages = vec![0.0; rows.len()];
    let mut duplicate = vec![0_u64; rows.len()];
    // What no other page holds: all that is hashed, for now.
    let mut unique = vec![0_u64; rows.len()];
    for (inode, own) in duplicates.files() {
        let charge = Charge::of(&inode, &numbers);
        match charge.starts[..] {
            [] => continue,
            [(_, only)] => unique[only as usize] += inode.hashed(),
            _ => {
                let mut at = charge.cursor();
                for (page, _) in inode.contents() {
                    unique[at.number(page) as usize] += 1;
                }
            }
        }
        let mut at = charge.cursor();
        for page in own {
            let number = at.number(page.page());
            duplicate[number as usize] += 1;
            let copies = duplicates.copies(page.number());
            saving_pages[number as usize] += f64::from(copies - 1) / f64::from(copies);
            let owner = &mut owners[page.number()];
            let first_or_same = *owner == NOBODY || *owner == number + 1;
            *owner = if first_or_same { number + 1 } else { SEVERAL };
        }
    }
    for (number, row) in rows.iter_mut().enumerate() {
        row.duplicate = Bytes::of_pages(duplicate[number]);
        row.exclusive = Bytes::of_pages(unique[number] - duplicate[number]);
        row.saving_share = saving_pages[number] * Bytes::of_pages(1).to_f64();
    }
    // All copies of a content that only one row marked are in that row.
    for ((_, copies), owner) in duplicates.contents().zip(owners) {
        let at = owner.checked_sub(1).map(|number| number as usize);
        if let Some(row) = at.and_then(|at| rows.get_mut(at)) {
            row.exclusive += Bytes::of_pages(u64::from(copies));
        }
    }
    charged.into_keys().zip(rows).collect()
}

/// From which page on a file's pages are of which row.
struct Charge {
    starts: Vec<(u64, u32)>,
}

impl Charge {
    fn of(inode: &InodeView<'_>, numbers: &HashMap<Option<MemcgId>, u32>) -> Self {
        let starts = inode.charges();
        let numbered = |(start, memcg)| Some((start, *numbers.get(&memcg)?));
        Self {
            starts: starts.filter_map(numbered).collect(),
        }
    }

    fn cursor(&self) -> Cursor<'_> {
        let (number, next) = self
            .starts
            .split_first()
            .map_or((0, &[][..]), |(first, next)| (first.1, next));
        Cursor { number, next }
    }
}

/// Where in a file a pass over its pages is.
struct Cursor<'c> {
    number: u32,
    next: &'c [(u64, u32)],
}

impl Cursor<'_> {
    /// The row of a page, which is not before one that was asked for.
    fn number(&mut self, page: PageIndex) -> u32 {
        while let Some(((start, number), next)) = self.next.split_first()
            && *start <= page.0
        {
            (self.number, self.next) = (*number, next);
        }
        self.number
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        samples::{self, counts},
        units::ContentHash,
    };

    /// Every page, its content when that is known, and its charge, the slow way.
    type Charged = Vec<(Option<MemcgId>, Option<ContentHash>)>;

    fn charged(index: &ContentIndex, told: &BTreeMap<(InodeId, u64), MemcgId>) -> Charged {
        let pages = index.inodes().flat_map(|inode| {
            let pages = inode
                .pages()
                .map(move |(page, state)| (inode.id, page, state));
            pages.collect::<Vec<_>>()
        });
        pages
            .map(|(inode, page, state)| (told.get(&(inode, page.0)).copied(), state.content()))
            .collect()
    }

    proptest! {
        #[test]
        fn rows_are_what_the_definitions_say(
            mut index in samples::index(),
            steps in proptest::collection::vec((0_u32..6, 0_u64..130, 1_u64..70, 0_u64..3), 0..20)
        ) {
            let mut told = BTreeMap::new();
            for (inode, first, pages, memcg) in steps {
                let (inode, memcg) = (InodeId(inode), MemcgId(memcg));
                let resident: Vec<u64> = index.view(inode).into_iter()
                    .flat_map(|view| view.pages().map(|(page, _)| page.0).collect::<Vec<_>>()).collect();
                // As the collector does: only of pages that are there.
                for run in resident.into_iter().filter(|page| (first..first + pages).contains(page)) {
                    index.charge(inode, PageIndex(run), 1, memcg);
                    told.insert((inode, run), memcg);
                }
            }
            let pages = charged(&index, &told);
            let copies = counts(pages.iter().filter_map(|page| page.1));
            let within = counts(pages.iter().filter_map(|page| Some((page.0, page.1?))));
            let rows = memcg_rows(&Duplicates::of(&index));
            prop_assert_eq!(rows.is_empty(), pages.iter().all(|page| page.0.is_none()));
            for (memcg, row) in &rows {
                let of = || pages.iter().filter(|page| page.0 == *memcg);
                let hashed = || of().filter_map(|page| page.1);
                let bytes = |pages: usize| Bytes::of_pages(pages as u64);
                prop_assert_eq!(row.resident, bytes(of().count()));
                prop_assert_eq!(row.duplicate, bytes(hashed().filter(|content| copies[content] > 1).count()));
                prop_assert_eq!(row.exclusive, bytes(
                    hashed().filter(|content| within[&(*memcg, *content)] == copies[content]).count()));
            }
            if !rows.is_empty() {
                let resident: Bytes = rows.iter().map(|(_, row)| row.resident).sum();
                prop_assert_eq!(resident, Bytes::of_pages(index.totals().resident));
                let share: f64 = rows.iter().map(|(_, row)| row.saving_share).sum();
                let duplicate = Bytes::of_pages(index.totals().duplicate).to_f64();
                prop_assert!((share - duplicate).abs() < 0.001, "{} is not {}", share, duplicate);
            }
        }
    }
}

//! The model: from plans of files and the fate of their pages to every number that a
//! report must show. Knows nothing of how sharestat computes them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh64::xxh64;

use crate::{
    corpus::{PAGE, PlannedFile},
    residency::{self, Surplus},
};

/// Where a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not in the page cache.
    Absent,
    /// Cached and readable: it must be hashed.
    Cached,
    /// Cached and not yet written back: it must be reported as skipped.
    Dirty,
}

/// A planned file and what became of its pages.
#[derive(Clone, Debug)]
pub(crate) struct Observed<'plan> {
    plan: &'plan PlannedFile,
    fates: Vec<Fate>,
    surplus: Surplus,
    roots: Vec<PathBuf>,
    eligible: bool,
}

impl<'plan> Observed<'plan> {
    /// Asks `mincore` which pages of the file below `root` are cached.
    pub(crate) fn now(plan: &'plan PlannedFile, root: &Path) -> Self {
        let cached = residency::cached_pages(&root.join(&plan.names[0]));
        assert_eq!(
            cached.len(),
            plan.pages.len(),
            "pages of '{}'",
            plan.names[0].display()
        );
        let fates = cached
            .iter()
            .map(|&is| if is { Fate::Cached } else { Fate::Absent });
        Self {
            plan,
            fates: fates.collect(),
            surplus: residency::surplus(&root.join(&plan.names[0])),
            roots: vec![root.to_owned()],
            eligible: true,
        }
    }

    /// All files of one root, as they are now.
    pub(crate) fn all(plans: &'plan [PlannedFile], root: &Path) -> Vec<Self> {
        plans.iter().map(|plan| Self::now(plan, root)).collect()
    }

    /// Says that the cached pages are dirty.
    pub(crate) fn dirty(mut self) -> Self {
        for fate in &mut self.fates {
            if *fate == Fate::Cached {
                *fate = Fate::Dirty;
            }
        }
        self
    }

    /// Says that the filesystem has no clean state (tmpfs): nothing is eligible.
    pub(crate) fn never_clean(mut self) -> Self {
        self.eligible = false;
        self
    }

    /// Says that a process may write to the file through a shared mapping: nothing of it is
    /// eligible.
    pub(crate) fn mapped_writably(mut self) -> Self {
        self.eligible = false;
        self
    }

    /// Says that the report may as well show the file below `root`.
    pub(crate) fn or_below(mut self, root: &Path) -> Self {
        self.roots.push(root.to_owned());
        self
    }

    /// Numbers of the pages with this fate.
    pub(crate) fn pages(&self, fate: Fate) -> impl Iterator<Item = usize> + '_ {
        (0..self.fates.len()).filter(move |&page| self.fates[page] == fate)
    }
}

/// What must be reported of one file, in pages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectedFile {
    /// The paths under which the report may show it.
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) resident: u64,
    pub(crate) duplicate: u64,
    pub(crate) exclusive: u64,
    /// Bytes.
    pub(crate) saving_share: f64,
}

/// A way of sharing: pages it would save, and groups of pages that become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpectedSaving {
    pub(crate) pages: u64,
    pub(crate) groups: u64,
}

impl ExpectedSaving {
    fn of<'group>(groups: impl Iterator<Item = &'group u64>) -> Self {
        groups
            .filter(|&&copies| copies > 1)
            .fold(Self::default(), |sum, copies| Self {
                pages: sum.pages + copies - 1,
                groups: sum.groups + 1,
            })
    }
}

/// What must be reported, in pages.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Expected {
    pub(crate) resident: u64,
    pub(crate) dirty: u64,
    pub(crate) not_uptodate: u64,
    pub(crate) distinct: u64,
    pub(crate) duplicate: u64,
    pub(crate) zero: u64,
    pub(crate) eligible: u64,
    pub(crate) zero_scope: u64,
    pub(crate) self_scope: u64,
    pub(crate) by_content: ExpectedSaving,
    pub(crate) by_offset: ExpectedSaving,
    pub(crate) by_zero: ExpectedSaving,
    pub(crate) files: Vec<ExpectedFile>,
    /// Equal expectations are about equal pages, not only equal sums.
    fates: Vec<Vec<Fate>>,
}

type Content = u64;

impl Expected {
    /// Of these files alone, which is what `--path` asks for.
    pub(crate) fn of(files: &[Observed<'_>]) -> Self {
        let zero = zero_page();
        let contents: Vec<Vec<(usize, Content)>> = files.iter().map(cached_contents).collect();
        let mut copies = HashMap::<Content, u64>::new();
        let mut eligible_copies = HashMap::<Content, u64>::new();
        let mut at_offset = HashMap::<(Content, usize), u64>::new();
        let mut expected = Self::default();
        for (file, pages) in files.iter().zip(&contents) {
            let mut inside = HashSet::new();
            for &(offset, content) in pages {
                *copies.entry(content).or_default() += 1;
                if file.eligible {
                    *eligible_copies.entry(content).or_default() += 1;
                    *at_offset.entry((content, offset)).or_default() += 1;
                }
                if content != zero && !inside.insert(content) {
                    expected.self_scope += 1;
                }
            }
            expected.eligible += if file.eligible { pages.len() as u64 } else { 0 };
            expected.not_uptodate += file.surplus.not_uptodate;
            expected.dirty += file.pages(Fate::Dirty).count() as u64;
        }
        expected.distinct = copies.len() as u64;
        expected.duplicate = copies.values().sum::<u64>() - expected.distinct;
        expected.resident = expected.hashed() + expected.dirty + expected.not_uptodate;
        expected.zero = copies.get(&zero).copied().unwrap_or(0);
        expected.zero_scope = expected.zero.saturating_sub(1);
        expected.by_zero = ExpectedSaving::of(eligible_copies.remove(&zero).iter());
        expected.by_content = ExpectedSaving::of(eligible_copies.values());
        at_offset.retain(|(content, _), _| *content != zero);
        expected.by_offset = ExpectedSaving::of(at_offset.values());
        expected.fates = files.iter().map(|file| file.fates.clone()).collect();
        expected.files = files
            .iter()
            .zip(&contents)
            .map(|(file, pages)| expected_file(file, pages, &copies))
            .filter(|file| file.resident > 0)
            .collect();
        expected
    }

    /// Pages that must have a hash.
    pub(crate) fn hashed(&self) -> u64 {
        self.distinct + self.duplicate
    }
}

/// Offset and content of each cached, clean page, also beyond the end of the file.
fn cached_contents(file: &Observed<'_>) -> Vec<(usize, Content)> {
    let end = file.fates.len();
    let beyond = (end..)
        .zip(0..file.surplus.beyond)
        .map(|(page, _)| (page, zero_page()));
    file.pages(Fate::Cached)
        .map(|page| (page, xxh64(&file.plan.page_bytes(page), 0)))
        .chain(beyond)
        .collect()
}

fn zero_page() -> Content {
    xxh64(&[0; PAGE], 0)
}

#[expect(clippy::cast_precision_loss, reason = "a test file has few copies")]
fn expected_file(
    file: &Observed<'_>,
    pages: &[(usize, Content)],
    copies: &HashMap<Content, u64>,
) -> ExpectedFile {
    let mut inside = BTreeMap::<Content, u64>::new();
    for &(_, content) in pages {
        *inside.entry(content).or_default() += 1;
    }
    let mut row = ExpectedFile {
        paths: Vec::new(),
        resident: (pages.len() + file.pages(Fate::Dirty).count()) as u64
            + file.surplus.not_uptodate,
        duplicate: 0,
        exclusive: 0,
        saving_share: 0.0,
    };
    for (content, here) in inside {
        let everywhere = copies[&content];
        if everywhere > 1 {
            row.duplicate += here;
        }
        if everywhere == here {
            row.exclusive += here;
        }
        row.saving_share += (here * (everywhere - 1) * PAGE as u64) as f64 / everywhere as f64;
    }
    for root in &file.roots {
        row.paths
            .extend(file.plan.names.iter().map(|name| root.join(name)));
    }
    row
}

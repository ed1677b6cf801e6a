//! Compares the bytes of pages that have one hash. Pages that differ from the others become
//! contents of their own in the index, so that every sum and saving is free of collisions.

use std::{collections::HashMap, fs::File, io};

use super::{
    super::warning::counted,
    Opener,
    reading::{read_fully, read_uncached},
};
use crate::{
    model::{
        inode::InodeId,
        measurement::Measurement,
        offsets::mix,
        page::Observation,
        uncompared::Uncompared,
        units::{ContentHash, PAGE_SIZE, PageIndex},
    },
    progress::Progress,
    seed::Seed,
};

const PAGE: usize = sharestat_ebpf::PAGE_SIZE;
/// Pages read at once.
const MOST: usize = 256;
/// Files that are kept open to compare others with; a process may have 1,024 by default.
const MOST_OPEN: usize = 256;

type Page = [u8; PAGE];

/// A page that is known by its content.
type Known = (PageIndex, ContentHash);

/// Compares all pages that have another copy.
pub(super) fn compare(
    measurement: &mut Measurement,
    opener: &Opener,
    seed: Seed,
    progress: &Progress,
) {
    let mut sorter = Sorter {
        seed,
        leaders: HashMap::from([(measurement.index.zero(), Leader::Zeros)]),
        open: HashMap::new(),
        uncompared: Uncompared::default(),
    };
    let inodes: Vec<InodeId> = measurement.index.inodes().map(|inode| inode.id).collect();
    let mut differing = 0;
    for inode in inodes {
        let pages = duplicates(measurement, inode);
        if pages.is_empty() {
            continue;
        }
        let file = if progress.stopped() {
            None
        } else {
            opener.open(measurement, inode)
        };
        let Some(file) = file else {
            for (page, _) in pages {
                sorter.uncompared.push(inode, page);
            }
            continue;
        };
        for (page, content) in sorter.sort(measurement, opener, (inode, &file), &pages) {
            let hashed = Observation::Hashed(content);
            measurement.index.insert(inode, page, hashed);
            differing += 1;
        }
    }
    let mut uncompared = sorter.uncompared;
    uncompared.keep_duplicates(&measurement.index);
    let identity = &mut measurement.identity;
    if differing > 0 {
        identity.warnings.push(format!(
            "{} with the hash of other bytes: counted as what it holds",
            counted(differing, "page", "pages")
        ));
    }
    if uncompared.files() > 0 {
        identity.warnings.push(format!(
            "could not compare {} of duplicates in {}: no path here, changed since, or not readable; what rests on that is not 'verified'",
            uncompared.bytes(),
            counted(uncompared.files() as u64, "file", "files")
        ));
    }
    identity.uncompared = Some(uncompared);
}

fn duplicates(measurement: &Measurement, inode: InodeId) -> Vec<Known> {
    let mut pages = Vec::new();
    if let Some(view) = measurement.index.view(inode) {
        let index = &measurement.index;
        index.visit_contents(&view, |page, content, copies| {
            if copies > 1 {
                pages.push((page, content));
            }
        });
    }
    pages
}

/// The page that others of its content are compared with.
enum Leader {
    /// No page: all bytes are zero.
    Zeros,
    /// This page, which has this hash.
    At(InodeId, PageIndex, ContentHash),
}

struct Sorter {
    seed: Seed,
    leaders: HashMap<ContentHash, Leader>,
    /// Files of leaders.
    open: HashMap<InodeId, File>,
    uncompared: Uncompared,
}

/// What comparing a page with a leader told.
enum Outcome {
    Equal,
    Differs,
    /// The leader cannot be read, or is no longer what was measured.
    Lost,
}

impl Sorter {
    /// Compares pages of one file with those of their content that were read before; the
    /// pages that differ, each with a content of its own.
    fn sort(
        &mut self,
        measurement: &Measurement,
        opener: &Opener,
        (inode, file): (InodeId, &File),
        pages: &[Known],
    ) -> Vec<Known> {
        let mut differing = Vec::new();
        let mut buffer = vec![0; MOST * PAGE];
        let consecutive = |one: &Known, next: &Known| one.0.0 + 1 == next.0.0;
        for run in pages.chunk_by(consecutive).flat_map(|run| run.chunks(MOST)) {
            let buffer = &mut buffer[..run.len() * PAGE];
            // A page ends in zeros where its file ends within it.
            buffer.fill(0);
            let read = read_uncached(file, buffer, run[0].0.0 * PAGE_SIZE);
            let (bytes, _) = buffer.as_chunks::<PAGE>();
            for (&(page, content), bytes) in run.iter().zip(bytes) {
                // With another hash, it is not what was measured.
                if read.is_err() || self.seed.hash(bytes) != content {
                    self.uncompared.push(inode, page);
                    continue;
                }
                let found = self.content(measurement, opener, (inode, page), content, bytes);
                if found != content {
                    differing.push((page, found));
                }
            }
        }
        differing
    }

    /// The content of a page: that of the first page with the same bytes. One that differs
    /// from all others of its hash gets a number that no content has.
    fn content(
        &mut self,
        measurement: &Measurement,
        opener: &Opener,
        (inode, page): (InodeId, PageIndex),
        hash: ContentHash,
        bytes: &Page,
    ) -> ContentHash {
        let mut content = hash;
        loop {
            let free = content == hash || measurement.index.copies(content) == 0;
            match self.compare(measurement, opener, content, bytes) {
                Some(Outcome::Equal) => return content,
                Some(Outcome::Lost) => {
                    let lost = self.leaders.insert(content, Leader::At(inode, page, hash));
                    if let Some(Leader::At(inode, page, _)) = lost {
                        self.uncompared.push(inode, page);
                    }
                    return content;
                }
                None if free => {
                    self.leaders.insert(content, Leader::At(inode, page, hash));
                    return content;
                }
                // `None`: of pages that were not read yet.
                Some(Outcome::Differs) | None => {}
            }
            content = ContentHash(mix(content, PageIndex(1)));
        }
    }

    /// Compares a page with the leader of a content; `None` when it has none.
    fn compare(
        &mut self,
        measurement: &Measurement,
        opener: &Opener,
        content: ContentHash,
        bytes: &Page,
    ) -> Option<Outcome> {
        let (inode, page, hash) = match self.leaders.get(&content)? {
            Leader::Zeros if *bytes == [0; PAGE] => return Some(Outcome::Equal),
            Leader::Zeros => return Some(Outcome::Differs),
            Leader::At(inode, page, hash) => (*inode, *page, *hash),
        };
        let outcome = match self.read(measurement, opener, inode, page) {
            Ok(Some(leader)) if leader == *bytes => Outcome::Equal,
            // Else it is not what it was.
            Ok(Some(leader)) if self.seed.hash(&leader) == hash => Outcome::Differs,
            _ => Outcome::Lost,
        };
        Some(outcome)
    }

    /// A page of a leader; `None` when its file cannot be opened any more.
    fn read(
        &mut self,
        measurement: &Measurement,
        opener: &Opener,
        inode: InodeId,
        page: PageIndex,
    ) -> io::Result<Option<Page>> {
        if !self.open.contains_key(&inode) {
            let Some(file) = opener.open(measurement, inode) else {
                return Ok(None);
            };
            if self.open.len() == MOST_OPEN {
                self.open.clear();
            }
            self.open.insert(inode, file);
        }
        let mut bytes = [0; PAGE];
        if let Some(file) = self.open.get(&inode) {
            read_fully(file, &mut bytes, page.0 * PAGE_SIZE)?;
        }
        Ok(Some(bytes))
    }
}

//! How fast the content index takes pages in and answers, for a cache of five million
//! pages (19 GiB) with one in four a duplicate. Prints one line per question, in time
//! on the processor, so that a busy machine does not count.

use std::{fs, hint::black_box};

use sharestat::model::{
    duplicates::Duplicates,
    files::{file_rows, partners},
    groups::group_rows,
    index::ContentIndex,
    inode::{InodeId, InodeKey},
    measurement::{FileIdentity, Identities, Place},
    page::Observation,
    savings::savings,
    units::{ContentHash, PageIndex},
};

const PAGES: u64 = 5_000_000;
const FILES: u64 = 2_000;
/// Pages hashed together.
const RUN: usize = 128;
const PAGES_PER_FILE: u64 = PAGES / FILES;

fn main() {
    let mut index = ContentIndex::new(ContentHash(0));
    timed("insert in runs (user engine)", || {
        fill(&mut index, |index, inode, first, seen| {
            index.insert_run(inode, first, seen);
        });
    });
    let pages = index.totals().resident;
    println!("{:>12} pages, {:?}", pages, index.totals());
    println!(
        "{:>12} bytes per page",
        index.memory_bytes() / index.totals().resident
    );
    timed("a million totals", || {
        for _ in 0..1_000_000 {
            black_box(index.totals());
        }
    });
    let rows = timed("file rows", || file_rows(&index));
    let top: Vec<InodeId> = rows.iter().take(20).map(|row| row.inode).collect();
    timed("partners of 20 files", || {
        black_box(partners(&index, &top, 3))
    });
    let nobody = Identities::default();
    timed("savings", || black_box(savings(&index, &nobody)));
    // The worst case: all files are of one size, so that all are compared.
    let mut sized = Identities::default();
    for inode in index.inodes() {
        sized.files.insert(inode.id, file());
    }
    timed("savings, all files of one size", || {
        black_box(savings(&index, &sized))
    });
    let duplicates = timed("duplicates", || Duplicates::of(&index));
    timed("group rows", || {
        black_box(group_rows(&duplicates, 10, |inode| Some(inode.0 % 10)))
    });
    timed("settle, nothing contested", || index.settle());
    timed("begin and end a census", || {
        index.begin_census();
        for inode in 0..FILES {
            let inode = InodeId(u32::try_from(inode).unwrap_or(0));
            index.see(inode, PageIndex(0), PAGES_PER_FILE, false, 0, &mut |_| {});
        }
        index.end_census(&mut |_, _| {});
    });
    timed("remove everything", || {
        for inode in 0..FILES {
            let inode = InodeId(u32::try_from(inode).unwrap_or(0));
            index.remove(inode, PageIndex(0), u64::MAX, 0, &mut |page| {
                black_box(page);
            });
        }
    });
    timed("add, claim, observe in runs (BPF engine)", || {
        fill(&mut index, |index, inode, first, seen| {
            let pages = seen.len() as u64;
            index.add(inode, first, pages, 0);
            index.claim(inode, first, pages, &mut |_| {});
            index.observe_run(inode, first, seen);
        });
    });
}

/// The first page of every four is content that other files have too.
fn fill(
    index: &mut ContentIndex,
    mut enter: impl FnMut(&mut ContentIndex, InodeId, PageIndex, &[Observation]),
) {
    let content = |number: u64| {
        let copy = number % (PAGES / 8);
        scramble(if number.is_multiple_of(4) {
            copy
        } else {
            PAGES + number
        })
    };
    for ino in 0..FILES {
        let inode = index.intern(
            InodeKey {
                ino,
                ..InodeKey::default()
            },
            true,
        );
        for first in (0..PAGES_PER_FILE).step_by(RUN) {
            let numbers = (first..PAGES_PER_FILE).take(RUN);
            let hashes = numbers.map(|page| content(ino * PAGES_PER_FILE + page));
            let seen: Vec<Observation> = hashes.map(Observation::Hashed).collect();
            enter(index, inode, PageIndex(first), &seen);
        }
    }
}

fn file() -> FileIdentity {
    FileIdentity {
        filesystem: 0,
        path: String::new(),
        named: true,
        deleted: false,
        size: PAGES_PER_FILE * 4096,
        links: 1,
        place: Place::default(),
    }
}

/// As scattered as page hashes are.
fn scramble(content: u64) -> ContentHash {
    let mut hash = content.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    ContentHash(hash ^ (hash >> 33))
}

fn timed<T>(question: &str, answer: impl FnOnce() -> T) -> T {
    let before = on_processor_ms();
    let value = answer();
    println!("{:>9} ms  {question}", on_processor_ms() - before);
    value
}

/// Time of this thread on a processor (`Documentation/scheduler/sched-stats.rst`).
fn on_processor_ms() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text
        .split(' ')
        .next()
        .and_then(|field| field.parse::<u64>().ok());
    nanoseconds.unwrap_or(0) / 1_000_000
}

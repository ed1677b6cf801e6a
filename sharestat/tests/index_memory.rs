//! The content index keeps to 32 bytes per resident page, by its own estimate and by
//! what the allocator really handed out.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use sharestat::model::{
    index::ContentIndex,
    inode::InodeKey,
    page::Observation,
    units::{ContentHash, PageIndex},
};

/// The system allocator, counting: each block as malloc would place it, 8 bytes longer
/// and a multiple of 16.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn placed(layout: Layout) -> usize {
    (layout.size() + 8).next_multiple_of(16).max(32)
}

// SAFETY: every call is passed on to `System` unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(placed(layout), Ordering::Relaxed) + placed(layout);
        MOST.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(placed(layout), Ordering::Relaxed);
        // SAFETY: `block` came from `alloc` above with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const FILES: u64 = 8;
const PAGES: u64 = 800_000;

/// Files of 100,000 pages, all pages different, arriving as readahead brings them and
/// hashed in batches, checked whenever the cache has grown by some more.
#[test]
fn large_files_take_at_most_32_bytes_per_page() {
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let mut index = ContentIndex::new(ContentHash(u64::MAX));
    let mut pages = 0_u64;
    for ino in 0..FILES {
        let inode = index.intern(
            InodeKey {
                ino,
                ..InodeKey::default()
            },
            true,
        );
        for first in (0..PAGES / FILES).step_by(32) {
            let now_ms = u32::try_from(pages / 32).expect("few runs");
            index.add(inode, PageIndex(first), 32, now_ms);
            index.claim(inode, PageIndex(first), 32, &mut |_| {});
            for page in first..first + 32 {
                pages += 1;
                let content = ContentHash(pages.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                assert!(index.observe(inode, PageIndex(page), Observation::Hashed(content)));
            }
            let live = (LIVE.load(Ordering::Relaxed) - before) as u64;
            assert!(
                pages < 50_000 || live <= 32 * pages,
                "{live} bytes for {pages} pages"
            );
        }
    }
    let live = (LIVE.load(Ordering::Relaxed) - before) as u64;
    let most = (MOST.load(Ordering::Relaxed) - before) as u64;
    let estimate = index.memory_bytes();
    assert!(
        estimate <= 32 * pages,
        "estimate of {estimate} bytes for {pages} pages"
    );
    assert!(
        estimate.abs_diff(live) * 50 <= live,
        "the estimate of {estimate} bytes is 2 % away from {live}"
    );
    // Growing copies one shard of the table at a time, not the whole.
    assert!(
        most <= 33 * pages,
        "{most} bytes at the peak for {pages} pages"
    );
    drop(index);
    let left = LIVE.load(Ordering::Relaxed).saturating_sub(before);
    // The threads of the test harness allocate a little of their own meanwhile.
    assert!(left < 4096, "{left} bytes are not given back");
}

//! Hashes pages on request: verify, copy, hash, verify.
//!
//! In: requests in `HASH_WORK[worker]`; out: one hash and status per page. Run as test
//! run with the arguments (worker, number of requests).

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::{map, raw_tracepoint},
    maps::Array,
    programs::RawTracePointContext,
};
use sharestat_ebpf::{
    counters::Counter,
    records::{HASH_BATCH_PAGES, HashBatch, HashRequest, page_status},
};

use super::{
    access,
    contents::{self, Page, repeat},
    counters::count,
    folio::{Folio, frame_of},
    frame_state,
    globals::layout,
    inode::Inode,
    page_tree,
};

/// User space sets the number of workers.
#[map]
static HASH_WORK: Array<HashBatch> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What one worker works with: the inode that its requests speak of, the current run of
/// pages, and scratch. In a map and not on the stack: the verifier follows every value on
/// the stack along every path, and takes what is in a map as unknown.
#[repr(C)]
pub(crate) struct Work {
    /// Address of the inode verified last in this test run; under the RCU read lock of
    /// the test run it stays what it is.
    verified: u64,
    ino: u64,
    size: u64,
    generation: u32,
    /// Status that all pages of the inode share, `HASHED` when there is none.
    refused: u8,
    tmpfs: bool,
    reserved: [u8; 2],
    index: u64,
    /// Address of the folio that probably holds the next page, 0 when not known.
    address: u64,
    first_result: u64,
    /// Counted here, and in the counters once per test run.
    hashed: u64,
    raced: u64,
    folio: Folio,
    page: Page,
}

#[map]
static HASH_SCRATCH: Array<Work> = Array::with_max_entries(1, 0);

/// Context of the callbacks, which must be on the stack (`bpf_loop`).
#[repr(C)]
struct Worker {
    work: *mut Work,
    batch: *mut HashBatch,
}

const MASK: usize = HASH_BATCH_PAGES - 1;

#[inline(always)]
fn refusal(inode: &Inode) -> u8 {
    let mapping = inode.mapping();
    if access::read(mapping + layout!(mapping_host)) != Some(inode.address) {
        return page_status::ABSENT;
    }
    let flags = access::read::<u64>(mapping + layout!(mapping_flags)).unwrap_or(u64::MAX);
    if flags & layout!(mapping_inaccessible) != 0 {
        return page_status::UNREADABLE;
    }
    if inode.is_tmpfs() && inode.is_mapped_writably() {
        return page_status::DIRTY;
    }
    page_status::HASHED
}

#[inline(always)]
fn verify_inode(work: &mut Work, request: &HashRequest) {
    if work.verified == request.inode
        && work.ino == request.ino
        && work.generation == request.generation
    {
        return;
    }
    work.verified = request.inode;
    work.ino = request.ino;
    work.generation = request.generation;
    work.refused = page_status::ABSENT;
    let Some(inode) = Inode::read(request.inode) else {
        count(Counter::HashInodeGone, 1);
        return;
    };
    if inode.ino != request.ino
        || inode.dev != request.dev
        || inode.generation != request.generation
    {
        count(Counter::HashInodeGone, 1);
        return;
    }
    work.refused = refusal(&inode);
    work.tmpfs = inode.is_tmpfs();
    work.size = inode.size();
}

#[inline(never)]
unsafe extern "C" fn take_request(number: u64, worker: *mut Worker) -> i64 {
    // SAFETY: `repeat` hands over the context of `hash_pages`, which this callback may
    // hand on; `work` is a map value of this worker.
    let (worker, work) = unsafe { (&mut *worker, &mut *(*worker).work) };
    // SAFETY: a map value of this worker; the position is masked.
    let request = unsafe { &(*worker.batch).requests[number as usize & MASK] };
    verify_inode(work, request);
    work.index = request.index;
    work.address = request.folio;
    work.first_result = u64::from(request.first_result);
    let pages = request.pages;
    let pages = if pages > HASH_BATCH_PAGES as u32 {
        HASH_BATCH_PAGES as u32
    } else {
        pages
    };
    if pages == 1 {
        // Small folios are requests of their own: no loop for one page.
        hash_at(worker.work, worker.batch, 0);
    } else {
        repeat(pages, take_page, worker);
    }
    0
}

/// Whether `folio` holds `index` of `mapping`.
#[inline(always)]
fn holds(folio: &Folio, address: u64, mapping: u64, index: u64) -> bool {
    let first = folio.index();
    folio.mapping() == Some(mapping)
        && index >= first
        && index - first < 1 << (folio.order(address) & 15)
        && folio.references() != 0
}

/// Why the page cannot be hashed now, `HASHED` when it can.
#[inline(always)]
fn obstacle(folio: &Folio, address: u64, tmpfs: bool) -> u8 {
    if folio.has(layout!(flag_hwpoison)) {
        return page_status::UNREADABLE;
    }
    if !folio.has(layout!(flag_uptodate)) {
        return page_status::NOT_UPTODATE;
    }
    if !tmpfs {
        if folio.has(layout!(flag_dirty)) {
            return page_status::DIRTY;
        }
        if folio.has(layout!(flag_writeback)) {
            return page_status::WRITEBACK;
        }
    }
    if folio.has(layout!(flag_locked)) {
        return page_status::RACED;
    }
    if folio.is_pinned(address) {
        return page_status::UNREADABLE;
    }
    page_status::HASHED
}

/// Reads the folio that holds `index` into the scratch; its address is `work.address`.
#[inline(always)]
fn find_folio(work: &mut Work, mapping: u64, index: u64) -> u8 {
    let address = work.address;
    if address != 0 && work.folio.load(address) && holds(&work.folio, address, mapping, index) {
        return page_status::HASHED;
    }
    let address = page_tree::find_in_page_tree(mapping, index);
    // The pages that follow are probably in the same folio.
    work.address = address;
    if address == 0 {
        return page_status::ABSENT;
    }
    if work.folio.load(address) && holds(&work.folio, address, mapping, index) {
        return page_status::HASHED;
    }
    page_status::RACED
}

#[inline(always)]
fn hash_one(work: &mut Work, index: u64) -> (u8, u64) {
    if work.refused != page_status::HASHED {
        return (work.refused, 0);
    }
    let mapping = work.verified + layout!(inode_data);
    let found = find_folio(work, mapping, index);
    if found != page_status::HASHED {
        return (found, 0);
    }
    let address = work.address;
    let obstacle = obstacle(&work.folio, address, work.tmpfs);
    if obstacle != page_status::HASHED {
        return (obstacle, 0);
    }
    let frame = frame_of(address) + (index - work.folio.index());
    // SAFETY: the scratch page belongs to this worker.
    let hash = unsafe { contents::hash(&raw mut work.page, frame, index, work.size) };
    let Some(hash) = hash else {
        count(Counter::CopyFaulted, 1);
        return (page_status::UNREADABLE, 0);
    };
    // Marked before the second look: whoever dirties the page after that look clears
    // the mark himself.
    frame_state::set_hashed(frame);
    if work.folio.load(address)
        && holds(&work.folio, address, mapping, index)
        && obstacle_after(&work.folio, work.tmpfs)
    {
        work.hashed += 1;
        return (page_status::HASHED, hash);
    }
    frame_state::forget(frame, 0);
    work.raced += 1;
    (page_status::RACED, 0)
}

#[inline(always)]
fn obstacle_after(folio: &Folio, tmpfs: bool) -> bool {
    let changing = if tmpfs {
        0
    } else {
        layout!(flag_dirty) | layout!(flag_writeback)
    };
    folio.has(layout!(flag_uptodate)) && !folio.has(changing | layout!(flag_locked))
}

#[inline(never)]
unsafe extern "C" fn take_page(number: u64, worker: *mut Worker) -> i64 {
    // SAFETY: `repeat` hands over the context of `hash_pages`, whose pointers lead to map
    // values of this worker.
    let (work, batch) = unsafe { ((*worker).work, (*worker).batch) };
    hash_at(work, batch, number);
    0
}

/// Hashes page `number` of the current run and writes its result.
///
/// A global function, which the verifier walks once; a static one it would walk again
/// for every state in which a caller can be.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hash_at(work: *mut Work, batch: *mut HashBatch, number: u64) -> u64 {
    if work.is_null() || batch.is_null() {
        return 0;
    }
    // SAFETY: not null, and the verifier checked that callers hand over whole values.
    let work = unsafe { &mut *work };
    let index = work.index + number;
    let (status, hash) = hash_one(work, index);
    let result = (work.first_result + number) as usize & MASK;
    // SAFETY: not null, as above; the position is masked.
    unsafe {
        (*batch).hashes[result] = hash;
        (*batch).status[result] = status;
    }
    0
}

/// Arguments: worker, number of requests.
#[raw_tracepoint(tracepoint = "sys_enter")]
pub(crate) fn hash_pages(ctx: RawTracePointContext) -> i32 {
    let worker: u64 = ctx.arg(0);
    let (Some(batch), Some(work)) = (
        HASH_WORK.get_ptr_mut(worker as u32),
        HASH_SCRATCH.get_ptr_mut(worker as u32),
    ) else {
        return 0;
    };
    let mut worker = Worker { work, batch };
    // SAFETY: a map value of this worker.
    let work = unsafe { &mut *work };
    work.verified = 0;
    work.refused = page_status::ABSENT;
    work.hashed = 0;
    work.raced = 0;
    let requests: u64 = ctx.arg(1);
    let requests = if requests > HASH_BATCH_PAGES as u64 {
        HASH_BATCH_PAGES as u64
    } else {
        requests
    };
    repeat(requests as u32, take_request, &mut worker);
    count(Counter::PagesHashed, work.hashed);
    count(Counter::PagesRaced, work.raced);
    0
}

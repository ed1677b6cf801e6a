//! An allocator that gives one thread no more memory than it may have. The tests and the
//! fuzzing program run with it; beyond the limit an allocation fails, which ends the
//! process.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::Write as _,
    ptr,
};

/// What a thread has, and may have, beyond what it had when the limit was set.
#[derive(Clone, Copy)]
struct Account {
    has: isize,
    most: isize,
    /// Who has the limit.
    name: &'static str,
}

const FREE: Account = Account {
    has: 0,
    most: isize::MAX,
    name: "",
};

thread_local! {
    static ACCOUNT: Cell<Account> = const { Cell::new(FREE) };
}

/// Lets `work` allocate at most `bytes` on this thread.
pub fn at_most<T>(bytes: usize, name: &'static str, work: impl FnOnce() -> T) -> T {
    let limited = Account {
        has: 0,
        most: isize::try_from(bytes).unwrap_or(isize::MAX),
        name,
    };
    ACCOUNT.set(limited);
    let result = work();
    ACCOUNT.set(FREE);
    result
}

/// The system's allocator with an account for each thread.
#[derive(Clone, Copy, Debug)]
pub struct Bounded;

/// Books `bytes`; false when the thread may not have them.
fn book(bytes: usize) -> bool {
    let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
    ACCOUNT
        .try_with(|account| {
            let mut now = account.get();
            now.has = now.has.saturating_add(bytes);
            if now.has > now.most {
                account.set(FREE);
                complain(now, bytes);
                return false;
            }
            account.set(now);
            true
        })
        // A thread that is ending has no account any more.
        .unwrap_or(true)
}

fn give_back(bytes: usize) {
    let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
    let _ = ACCOUNT.try_with(|account| {
        let mut now = account.get();
        now.has = now.has.saturating_sub(bytes);
        account.set(now);
    });
}

/// Says who wanted too much. What follows ends the process, and swallows what the tests
/// captured.
fn complain(account: Account, bytes: isize) {
    let _ = writeln!(
        std::io::stderr(),
        "'{}' asks for {bytes} bytes and would have {}, of at most {}",
        account.name,
        account.has,
        account.most
    );
}

// SAFETY: every call is passed on to `System` unchanged, or refused with a null pointer;
// bookkeeping allocates nothing.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !book(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !book(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: `block` came from `System` with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !book(size) {
            return ptr::null_mut();
        }
        give_back(layout.size());
        // SAFETY: `block` came from `System` with this layout; the caller keeps the rest
        // of the contract of `GlobalAlloc::realloc`.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_what_it_may_and_no_more() {
        let got = at_most(1 << 20, "a test", || {
            let mut small: Vec<u8> = Vec::new();
            let fits = small.try_reserve_exact(1 << 19).is_ok();
            let mut large: Vec<u8> = Vec::new();
            (fits, large.try_reserve_exact(1 << 20).is_err())
        });
        assert_eq!(got, (true, true));
        let mut free: Vec<u8> = Vec::new();
        assert!(free.try_reserve_exact(1 << 21).is_ok());
    }
}

//! The same work on many things, on as many threads as there are processors.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

const MOST_WORKERS: usize = 16;

/// What `work` makes of each item, in their order; the first error in that order ends it.
///
/// # Errors
/// What `work` returned.
pub(super) fn each<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let workers = workers.min(MOST_WORKERS).min(items.len());
    let next = AtomicUsize::new(0);
    let failed = AtomicUsize::new(usize::MAX);
    let done: Mutex<Vec<(usize, Result<R, E>)>> = Mutex::new(Vec::with_capacity(items.len()));
    thread::scope(|threads| {
        for _ in 0..workers {
            threads.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let Some(item) = items.get(number) else {
                        return;
                    };
                    let result = work(item);
                    if result.is_err() {
                        failed.fetch_min(number, Ordering::Relaxed);
                    }
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_and_the_first_error_wins() {
        let items: Vec<u32> = (0..1000).collect();
        let doubled = each(&items, |item| Ok::<_, ()>(item * 2));
        assert_eq!(doubled, Ok(items.iter().map(|item| item * 2).collect()));
        let failed = each(&items, |item| {
            if item % 300 == 299 {
                Err(*item)
            } else {
                Ok(())
            }
        });
        assert_eq!(failed, Err(299));
        assert_eq!(
            each(&[] as &[u32], |item| Ok::<_, ()>(*item)),
            Ok(Vec::new())
        );
    }
}

//! Panics of the library that reads Parquet, as its errors: of damage that only a forged
//! file can have it finds some by an index out of bounds.

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use parquet::errors::{ParquetError, Result};

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// What `work` returns; an error when it panics, of which nothing is printed.
///
/// # Errors
/// Those of `work`, and the words of its panic.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    be_silent_while_reading();
    READING.set(true);
    // What a panic leaves half done is dropped: nothing of it is used again.
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    READING.set(false);
    done.unwrap_or_else(|panic| Err(ParquetError::General(words(&*panic).to_owned())))
}

/// Other threads, and other code, keep the hook that they had.
fn be_silent_while_reading() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            if !READING.get() {
                previous(panicked);
            }
        }));
    });
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_words_and_the_next_answer_is_given() {
        let said = |result: Result<i32>| result.map_err(|error| error.to_string());
        let none: [i32; 0] = [];
        let at = none.len() + 3;
        let error = said(caught(|| Ok(none[at]))).expect_err("there is no such number");
        assert!(error.contains("index is 3"), "{error}");
        let error = said(caught(|| panic!("plain words"))).expect_err("it panics");
        assert!(error.contains("plain words"), "{error}");
        assert_eq!(said(caught(|| Ok(7))), Ok(7));
    }
}

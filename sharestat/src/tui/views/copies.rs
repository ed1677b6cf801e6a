//! Copies: which other files hold contents of one file, and how much of it.

use super::super::state::State;

/// Why there are no copies: not answered yet, or none.
pub(super) fn empty(state: &State) -> String {
    if state.page().rows(state.source()).is_none() {
        "asking which files hold the same contents: the answer comes with a later frame".to_owned()
    } else {
        "no other file holds contents of this one".to_owned()
    }
}

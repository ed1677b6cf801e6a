//! Files: by default those that would save most come first. `Enter` shows who has copies.

use super::{
    super::{actions::Action, frame::Census, pages::View, state::State},
    table::key_hint,
};

/// Why there are no files.
pub(super) fn empty(state: &State, within: bool) -> String {
    match (within, state.frame().census) {
        (true, _) => "no file of this row has pages in the page cache".to_owned(),
        (false, Census::Running { percent }) => {
            format!("no file seen yet: the census is at {percent} %")
        }
        (false, Census::Done) => {
            let key = key_hint(state, Action::View(View::Health));
            format!(
                "no file has pages in the measured page cache; {key} shows how well measuring works"
            )
        }
    }
}
